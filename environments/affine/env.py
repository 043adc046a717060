"""An Actor-based environment: it keeps state between calls, and scores solvers of small puzzles.

    env = load_env(image="affine:latest")
    env.setup(CHUTES_API_KEY="...")
    env.evaluate(task_type="sat", num_samples=5)
    # {"task_name": "sat", "total_score": 1.0, "samples": 5}

The class `Actor` is created once, after `setup`; its public methods, and the public functions of
this module, are the methods of the environment.
"""

import itertools
import os
import random

CLAUSES_PER_VARIABLE = 4


class Actor:
    """Makes tasks, solves them and counts what was solved."""

    def __init__(self):
        self.api_key = os.getenv("CHUTES_API_KEY")
        self.evaluations = 0

    async def evaluate(self, task_type="sat", num_samples=1, **options):
        """Score `num_samples` tasks: 1.0 means that every one was solved."""
        if task_type not in TASKS:
            raise ValueError(f"there is no task {task_type!r}; there are {', '.join(TASKS)}")
        make, solve, check = TASKS[task_type]
        chance = random.Random(options.get("seed", 0))
        tasks = [make(chance) for _ in range(num_samples)]
        solved = sum(check(task, solve(task)) for task in tasks)
        self.evaluations += 1
        return {
            "task_name": task_type,
            "total_score": solved / num_samples if num_samples else 0.0,
            "samples": num_samples,
        }

    def status(self):
        """How often `evaluate` was called, and whether there is a key for the model's API."""
        return {"evaluations": self.evaluations, "has_api_key": bool(self.api_key)}


def list_tasks():
    """The names that `evaluate` takes as `task_type`."""
    return sorted(TASKS)


def _make_sat(chance, variables=6):
    """A 3-SAT formula that a hidden assignment satisfies: lists of signed variable numbers."""
    hidden = [chance.choice((True, False)) for _ in range(variables)]
    clauses = []
    while len(clauses) < variables * CLAUSES_PER_VARIABLE:
        chosen = chance.sample(range(1, variables + 1), 3)
        clause = [number * chance.choice((1, -1)) for number in chosen]
        if _satisfies(hidden, clause):
            clauses.append(clause)
    return clauses


def _solve_sat(clauses):
    variables = max(abs(number) for clause in clauses for number in clause)
    for assignment in itertools.product((True, False), repeat=variables):
        if all(_satisfies(assignment, clause) for clause in clauses):
            return assignment
    return None


def _check_sat(clauses, assignment):
    return assignment is not None and all(_satisfies(assignment, clause) for clause in clauses)


def _satisfies(assignment, clause):
    return any(assignment[abs(number) - 1] == (number > 0) for number in clause)


def _make_sum(chance):
    return [chance.randrange(100) for _ in range(10)]


def _check_sum(numbers, answer):
    return answer == sum(numbers)


TASKS = {
    "sat": (_make_sat, _solve_sat, _check_sat),
    "sum": (_make_sum, sum, _check_sum),
}

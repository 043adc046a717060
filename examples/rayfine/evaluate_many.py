"""Evaluate many samples in parallel: `python examples/rayfine/evaluate_many.py [SAMPLES]`.

Four containers of one image share the work. Results come as they are ready; one that fails ends no
other. `engine="process"` leaves Ray out, which starts and calls faster.
"""

import sys

from rayfine_env import load_env


def main() -> None:
    """Print the mean score, and the samples that failed."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    inputs = ({"task_type": "sat", "num_samples": 1, "seed": seed} for seed in range(samples))
    scores, failed = [], []
    with load_env(image="affine:latest", engine="process", replicas=4) as env:
        env.setup(CHUTES_API_KEY="your-api-key")
        for result in env.map("evaluate", inputs, _timeout=60):
            if result.error is not None:
                failed.append(result.index)
                print(f"sample {result.index} failed: {result.error}", file=sys.stderr)
            else:
                scores.append(result.value["total_score"])
    mean = sum(scores) / len(scores) if scores else 0.0
    print(f"{len(scores)} samples, mean score {mean:.2f}, {len(failed)} failed")


if __name__ == "__main__":
    main()

"""Plans to look at: a small one with every sort of change, and large ones."""

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.header import Header
from reconciler.core.plan import Plan
from reconciler.core.review_notes import Cause, Edit, Origin, Review
from tests.core.builders import live, plan_of, resource

_IMAGE = "RayfineImage.affine"


def small() -> tuple[Plan, Header]:
    """One of each: delete, conflict, replacement, updates, creates, unchanged; a secret as well."""
    secrets = [{"TOKEN": {"secret": "canary-one"}}, {"TOKEN": {"secret": "canary-two"}}]
    desired = [
        resource(_IMAGE, {"tag": "affine:1", "context": {"env.py": "sha256:aa"}}, line=3),
        resource("RunaiEnvironment.train", {"image": "affine:2"}, depends_on=[_IMAGE], line=9),
        resource("RunaiEnvironment.eval", {"image": "affine:2"}, depends_on=[_IMAGE], line=20),
        resource("RunaiEnvironment.ml", {"image": "torch:2", "env": secrets[0]}, line=31),
        resource("RunaiEnvironment.notebooks", {"scope": "cluster"}, line=44),
        resource("RunaiEnvironment.shared", {"image": "b"}, line=60),
        resource("RunaiEnvironment.same", line=70),
    ]
    found = [
        live(_IMAGE, {"tag": "affine:1", "context": {"env.py": "sha256:bb"}}),
        live("RunaiEnvironment.train", {"image": "affine:1"}),
        live("RunaiEnvironment.ml", {"image": "torch:1", "env": secrets[1]}),
        live("RunaiEnvironment.notebooks"),
        live("RunaiEnvironment.shared", owner=None),
        live("RunaiEnvironment.same"),
        live("RunaiEnvironment.old", {"tools": ["jupyter"]}, notes=("last used 40 days ago",)),
    ]
    plan = guard(plan_of(desired, found), GuardRules(), Approval())
    edit = Edit("3fa2b1c0de", "Ada", "2026-01-02", "Use affine 2", "manifests/all.yaml", 9)
    causes = {
        "RunaiEnvironment.train": Cause(Origin.BRANCH, edit),
        "RunaiEnvironment.old": Cause(Origin.DRIFT, None, "bob", "2026-01-01T10:00:00Z"),
    }
    return plan, Header("production", "Run:ai", "3fa2b1c", Review("origin/main", causes=causes))


def large(count: int) -> tuple[Plan, Header]:
    """`count` environments: updates, creates and deletes, a third of them on one of 12 images."""
    images = [resource(f"RayfineImage.img-{n}", {"tag": f"img:{n}"}, line=n + 1) for n in range(12)]
    desired, found = [], [live(f"RayfineImage.img-{n}", {"tag": f"img:{n}"}) for n in range(12)]
    for n in range(count):
        name = f"RunaiEnvironment.team-{n % 7}-experiment-{n:04}"
        if n % 5 == 4:
            found.append(live(name))
            continue
        needs = [f"RayfineImage.img-{n % 12}"] if n % 3 == 0 else []
        desired.append(resource(name, {"image": f"torch:{n}"}, depends_on=needs, line=n))
        if n % 5 < 3:
            found.append(live(name))
    return plan_of([*images, *desired], found), Header("production", "Run:ai", "3fa2b1c")

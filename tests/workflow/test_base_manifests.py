"""The manifests of a base as what is live: compared with themselves they are no change."""

from reconciler.workflow.base_manifests import as_live
from tests.core.builders import STACK, actions, plan_of, resource

COMPUTE, ENVIRONMENT = "RunaiCompute.c", "RunaiEnvironment.e"


def test_what_refers_to_another_object_refers_to_it_there_as_well() -> None:
    held = {"context": {"on": {"reference": COMPUTE}}, "image": {"reference": COMPUTE}}
    stated = [resource(COMPUTE), resource(ENVIRONMENT, held)]
    live = as_live(stated, STACK, "3fa2b1c0de")
    assert live[1].spec["image"] == "3fa2b1c:RunaiCompute.c"
    assert actions(plan_of(stated, live)) == {COMPUTE: "unchanged", ENVIRONMENT: "unchanged"}


def test_an_output_that_only_a_system_knows_stays_the_same_reference() -> None:
    held = {"image": {"reference": COMPUTE, "output": "path"}}
    stated = [resource(COMPUTE), resource(ENVIRONMENT, held)]
    live = as_live(stated, STACK, "3fa2b1c0de")
    assert actions(plan_of(stated, live)) == {COMPUTE: "unchanged", ENVIRONMENT: "unchanged"}

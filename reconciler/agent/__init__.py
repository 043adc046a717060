"""The functions of the Run:ai environment guide, for people, scripts and agents.

    from reconciler.agent import configure, runai_create_environment

    configure(target="production")
    print(runai_create_environment({"name": "my-env", "scope": "cluster", "image": "busybox"}))

Every function returns text, in the guide's words, and raises nothing that a caller did not cause by
a defect: a wrong argument, a refusal or a control plane that is down is a message that says what is
missing. Nothing is written unless the call itself says `dry_run=False` and `confirmed=True`
(`confirmed=True` for a deletion). All of it goes through the same validation, plan, guards and
apply as `reconcile apply`. What comes from live objects is quoted and escaped: see
`reconciler.render.model_text`.

For servers that offer the same to models:

- `AgentSettings`, `configure`, `using`, `current`: how the functions find what they work on.
- `open_session(request)` and `plan_for(session, request) -> Planned`: a target, and a plan on it. A
  `PlanRequest` of a `Directory` says which, and with `since` and `config_from` what to compare it
  with and whose configuration to trust.
- `explain_address(planned, address, session) -> Explanation`: why a change, in words.
- `propose_manifest(...)`, `propose_removal(...) -> Proposal`: a manifest on a new branch; or in
  steps, to show it first: `read_base`, `draft_manifest` or `draft_removal`, `commit_draft`.
- `reconciler.render.model_text`: data -> text that is safe to hand to a model.
"""

from reconciler.agent.base_commit import Base, read_base
from reconciler.agent.functions import (
    runai_create_environment,
    runai_create_environment_async,
    runai_delete_environment,
    runai_delete_environment_async,
    runailabs_environment_info,
    runailabs_environment_info_async,
)
from reconciler.agent.proposal import (
    Draft,
    Proposal,
    commit_draft,
    draft_manifest,
    draft_removal,
    propose_manifest,
    propose_removal,
)
from reconciler.agent.settings import AgentSettings, configure, current, using
from reconciler.agent.workplace import Directory
from reconciler.core.planned import Planned
from reconciler.workflow.explaining import explain_address, find_change
from reconciler.workflow.opening import open_session
from reconciler.workflow.plan_request import PlanRequest
from reconciler.workflow.planning import plan_for

__all__ = [
    "AgentSettings",
    "Base",
    "Directory",
    "Draft",
    "PlanRequest",
    "Planned",
    "Proposal",
    "commit_draft",
    "configure",
    "current",
    "draft_manifest",
    "draft_removal",
    "explain_address",
    "find_change",
    "open_session",
    "plan_for",
    "propose_manifest",
    "propose_removal",
    "read_base",
    "runai_create_environment",
    "runai_create_environment_async",
    "runai_delete_environment",
    "runai_delete_environment_async",
    "runailabs_environment_info",
    "runailabs_environment_info_async",
    "using",
]

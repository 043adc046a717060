"""Others delete what a function is about to delete, at every moment that this can happen."""

from dataclasses import dataclass

import pytest

from reconciler.agent import headings, runai_create_environment, runai_delete_environment
from tests.acceptance.live_side import call
from tests.agent.site import Site, title
from tests.faults.proxy import FaultProxy


@dataclass
class VanishAt:
    """A rule of the proxy: before this read of the environments is answered, one of them goes."""

    site: Site
    uid: str
    moment: int
    reads: int = 0

    def __call__(self, _: int, method: str, path: str) -> None:
        """See `tests.faults.proxy.Rule`."""
        if method == "GET" and "/asset/environment" in path:
            self.reads += 1
            if self.reads == self.moment:
                call(self.site, "DELETE", f"/api/v1/asset/environment/{self.uid}")


@pytest.mark.parametrize("unowned", [False, True])
def test_what_others_delete_meanwhile_is_gone_and_nothing_else_is_suggested(
    site: Site, unowned: bool
) -> None:
    told = set()
    spec = {"name": "train", "scope": "tenant", "image": "busybox:1"}
    with FaultProxy(site.endpoint.base_url) as proxy, site.calls(allow_unowned=unowned):
        site.configure(proxied=proxy.base_url)
        for moment in range(1, 20):
            site.stage.restore()
            site.make("trainer")
            if unowned:
                site.make("train")
            else:
                runai_create_environment(spec, dry_run=False, confirmed=True)
            proxy.rule = rule = VanishAt(site, site.asset("train")["meta"]["id"], moment)
            said = runai_delete_environment("train", confirmed=True)
            proxy.rule = None
            assert "no address" not in said
            assert "did you mean" not in said
            assert site.names() == ["trainer"], said
            told.add(title(said))
            if rule.reads < moment:
                break
    assert rule.reads < moment, "every read had its turn"
    assert told - {headings.NOT_DELETED} == {headings.NOT_FOUND, headings.DELETED}

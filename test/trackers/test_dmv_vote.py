"""The read of DMV's memory against plain loops: Eq. 1, the top K, the vote of Fig. 7."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from torch import Tensor  # noqa: E402

from stm_tracker_ros.core.errors import ConfigError  # noqa: E402
from stm_tracker_ros.trackers.dmv.config import ReadConfig  # noqa: E402
from stm_tracker_ros.trackers.dmv.vote import Read, Vote, similarity  # noqa: E402

QUERIES, CELLS, CHANNELS = 5, 7, 8


def read(**changes: object) -> Read:
    torch.manual_seed(3)
    config = ReadConfig(**{"channels": 16, "heads": 2, **changes})  # type: ignore[arg-type]
    made = Read(CHANNELS, CHANNELS, config)
    torch.nn.init.normal_(made.nothing)
    return made.requires_grad_(False)


def memory(seed: int = 0, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Query, keys and values."""
    random = torch.Generator().manual_seed(seed)
    return (
        torch.randn(batch, QUERIES, CHANNELS, generator=random),
        torch.randn(batch, CELLS, CHANNELS, generator=random),
        torch.randn(batch, CELLS, CHANNELS, generator=random),
    )


def looped(query: Tensor, key: Tensor, value: Tensor, made: Read) -> Tensor:
    """The picked values of one batch entry, cell by cell, by the paper's words. Returns Q x K x V."""
    rows = []
    for cell in query:
        scores = [1.0] + [math.exp(float((cell * other).sum()) / math.sqrt(CHANNELS)) for other in key]
        content = [made.nothing, *value]
        best = sorted(range(len(scores)), key=lambda column: -scores[column])[: made.config.candidates]
        whole = sum(scores[column] for column in {0, *best}) if made.config.values == "weighted" else None
        weights = [scores[column] / whole if whole else 1.0 for column in best]
        rows.append(torch.stack([content[column] * weight for column, weight in zip(best, weights, strict=True)]))
    return torch.stack(rows)


@pytest.mark.parametrize("values", ["printed", "weighted"])
@pytest.mark.parametrize("candidates", [1, 2, 4, 8, 16])
def test_the_read_is_that_of_a_loop(values: str, candidates: int) -> None:
    made = read(values=values, candidates=candidates)
    query, key, value = memory()
    found = made.values_for(similarity(query, key), made.kept(value))
    for batch in range(len(query)):
        loop = looped(query[batch], key[batch], value[batch], made)
        assert torch.allclose(found[batch], made.kept(loop), atol=1e-5)


@pytest.mark.parametrize("values", ["printed", "weighted"])
def test_no_match_is_picked_where_the_memory_is_of_something_else(values: str) -> None:
    """Keys against the query are below the constant 1: the column "no match" is the best, with a value of its own."""
    made = read(values=values, candidates=2)
    query, key, value = memory()
    like = query[:, :1] * torch.linspace(0.8, 1.2, CELLS)[:, None]  # no two alike
    away = -like
    kept, nothing = made.kept(value), made.kept(made.nothing)
    unmatched, matched = (made.values_for(similarity(query[:, :1], keys), kept)[:, 0, 0] for keys in (away, like))
    share = 1.0 if values == "printed" else torch.softmax(similarity(query[:, :1], away)[:, 0, :2], -1)[:, :1]
    assert torch.allclose(unmatched, nothing.expand(2, -1) * share, atol=1e-5)
    assert (matched - nothing).abs().amax() > 0.1
    for batch in range(2):
        loop = looped(query[batch, :1], away[batch], value[batch], made)
        found = made.values_for(similarity(query[:, :1], away), kept)[batch]
        assert torch.allclose(found, made.kept(loop), atol=1e-5)


def test_a_share_is_of_what_was_picked_however_large_the_memory_is() -> None:
    """32 frames that say nothing new do not thin out what is read."""
    made = read(candidates=2)
    query, key, value = memory()
    far = torch.cat([key, -4 * query.mean(1, keepdim=True).expand(-1, 200, -1)], 1)
    more = torch.cat([value, torch.ones(2, 200, CHANNELS)], 1)
    row = similarity(query, far)[..., 1 + CELLS :] < similarity(query, key).topk(2, -1).values[..., 1:]
    alone = made.values_for(similarity(query, key), made.kept(value))
    among = made.values_for(similarity(query, far), made.kept(more))
    same = row.all(-1)
    assert same.any()
    assert torch.allclose(alone[same], among[same], atol=1e-5)


def test_large_similarities_do_not_overflow() -> None:
    made = read()
    query, key, value = memory()
    assert torch.isfinite(made.values_for(similarity(200 * query, 200 * key), made.kept(value))).all()


def looped_vote(vote: Vote, candidates: Tensor) -> Tensor:
    """The vote of one cell, K x channels_in -> width, head by head and candidate by candidate."""
    x = [vote.enter(one) for one in candidates]
    width = len(x[0])
    inner, rows = width // 4, []
    for own in range(len(x)):
        heard = []
        for head in range(vote.heads):
            narrow, wide = slice(head * inner, (head + 1) * inner), slice(head * width, (head + 1) * width)
            others = [other for other in range(len(x)) if other != own]
            logits = [
                float((vote.query(x[own])[narrow] * vote.key(x[other])[narrow]).sum()) / math.sqrt(inner)
                for other in others
            ]
            total = sum(math.exp(logit) for logit in logits)
            message = torch.zeros(width)
            for other, logit in zip(others, logits, strict=True):
                message = message + math.exp(logit) / total * vote.value(x[other])[wide]
            heard.append(message)
        rows.append(vote.norm(x[own] + vote.leave(torch.cat(heard))))
    return torch.stack(rows).amax(0)


@pytest.mark.parametrize("count", [1, 2, 4, 9])
def test_the_vote_is_that_of_a_loop(count: int) -> None:
    made = read(candidates=count)
    candidates = torch.randn(2, 3, count, 2 * CHANNELS, generator=torch.Generator().manual_seed(1))
    candidates[..., CHANNELS:] = candidates[:, :, :1, CHANNELS:]  # the query is the same beside all
    answer = made(made.kept(candidates[..., :CHANNELS]), candidates[:, :, 0, CHANNELS:])
    assert answer.shape == (2, 3, 16)
    for batch in range(2):
        for cell in range(3):
            assert torch.allclose(answer[batch, cell], looped_vote(made.join, candidates[batch, cell]), atol=1e-5)


@pytest.mark.parametrize("kind", ["vote", "mlp"])
def test_the_order_of_the_candidates_does_not_matter(kind: str) -> None:
    made = read(kind=kind)
    found, query = torch.randn(2, 3, 4, 16), torch.randn(2, 3, CHANNELS)
    assert torch.allclose(made(found, query), made(found[:, :, [2, 0, 3, 1]], query), atol=1e-6)


@pytest.mark.parametrize(("kind", "hears"), [("vote", True), ("mlp", False)])
def test_candidates_hear_each_other_in_a_vote_and_not_alone(kind: str, hears: bool) -> None:
    """Of those that are looked at alone the answer is the strongest of each one's own."""
    found, query = torch.randn(1, 1, 4, 16), torch.randn(1, 1, CHANNELS)
    made = read(kind=kind)
    apart = torch.stack([made(found[:, :, one : one + 1], query) for one in range(4)]).amax(0)
    assert torch.allclose(made(found, query), apart, atol=1e-6) == (not hears)


def test_softmax_averages_all_of_the_memory() -> None:
    made = read(kind="softmax")
    query, key, value = memory()
    logits = similarity(query, key)
    shares = torch.softmax(logits, -1)
    mean = shares[..., :1] * made.nothing + shares[..., 1:] @ value
    found = made.values_for(logits, made.kept(value))
    assert torch.allclose(found[:, :, 0], made.kept(mean), atol=1e-6)
    entered = made.join.enter(torch.cat([mean, query], -1))
    assert torch.allclose(made(found, query), entered, atol=1e-6)


@pytest.mark.parametrize(("values", "learns"), [("printed", False), ("weighted", True)])
def test_only_weighted_values_teach_the_similarity(values: str, learns: bool) -> None:
    made = read(values=values)
    query, key, value = memory()
    key.requires_grad_()
    found = made.values_for(similarity(query, key), made.kept(value))
    if learns:
        made(found, query).sum().backward()
        assert key.grad is not None
        assert key.grad.abs().max() > 0
    else:
        assert not found.requires_grad


@pytest.mark.parametrize(("name", "value"), [("channels", 18), ("candidates", 0), ("kind", "max"), ("values", "raw")])
def test_what_is_not_allowed_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{name} is .*allowed is"):
        ReadConfig(**{name: value})  # type: ignore[arg-type]

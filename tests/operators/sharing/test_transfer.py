"""Transfer: a share of one layer's weights into another, and weights of another model."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import genewright as gw


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "a": nn.Conv2d(3, 8, 3),
            "b": nn.Conv2d(3, 8, 3),
            "wide": nn.Conv2d(3, 12, 3),
            "other": nn.Conv2d(5, 8, 3),
            "up": nn.ConvTranspose2d(3, 8, 3),
            "up2": nn.ConvTranspose2d(3, 8, 3),
            "norm": nn.BatchNorm2d(8),
        }
    )


def test_the_first_half_of_the_output_filters(net: nn.Module) -> None:
    mutant = gw.mutate(net, gw.Transfer("a", "b", fraction=0.5, axis="out"), seed=1)
    for name in ("weight", "bias"):
        old, new, source = (getattr(m, name) for m in (net["b"], mutant["b"], net["a"]))
        assert torch.equal(new[:4], source[:4])
        assert torch.equal(new[4:], old[4:])
    assert torch.equal(mutant["a"].weight, net["a"].weight)
    assert mutant["a"].weight is not mutant["b"].weight


def test_inputs_leave_the_bias(net: nn.Module) -> None:
    mutant = gw.mutate(net, gw.Transfer("a", "b", fraction=1 / 3, axis="in"), seed=1)
    assert torch.equal(mutant["b"].weight[:, :1], net["a"].weight[:, :1])
    assert torch.equal(mutant["b"].weight[:, 1:], net["b"].weight[:, 1:])
    assert torch.equal(mutant["b"].bias, net["b"].bias)


def test_transposed_convolutions_have_their_units_along_axis_1(net: nn.Module) -> None:
    mutant = gw.mutate(net, gw.Transfer("up", "up2", fraction=0.25), seed=1)
    assert torch.equal(mutant["up2"].weight[:, :2], net["up"].weight[:, :2])
    assert torch.equal(mutant["up2"].weight[:, 2:], net["up2"].weight[:, 2:])


def test_a_larger_target_takes_it_a_smaller_one_does_not(net: nn.Module) -> None:
    mutant = gw.mutate(net, gw.Transfer("a", "wide"), seed=1)
    assert torch.equal(mutant["wide"].weight[:8], net["a"].weight)
    with pytest.raises(gw.UnsupportedError, match=r"\(12, 3, 3, 3\).*\(8, 3, 3, 3\)"):
        gw.mutate(net, gw.Transfer("wide", "a"), seed=1)
    mutant = gw.mutate(net, gw.Transfer("wide", "a", fraction=0.5), seed=1)
    assert torch.equal(mutant["a"].weight[:6], net["wide"].weight[:6])


@pytest.mark.parametrize(
    ("operator", "error", "match"),
    [
        (lambda: gw.Transfer("a", "other"), gw.UnsupportedError, r"\(8, 3, 3, 3\).*\(8, 5, 3, 3\)"),
        (lambda: gw.Transfer("a", "bb"), gw.UnknownNameError, "Did you mean"),
        (lambda: gw.Transfer("a", "a"), gw.UnsupportedError, "already"),
        (lambda: gw.Transfer("norm.running_mean", "a"), gw.SelectionError, "nothing of one name"),
        (lambda: gw.Transfer("norm.weight", "norm.bias", axis="in"), gw.SelectionError, "no axis 'in'"),
        (lambda: gw.Transfer("a"), gw.SettingError, "both"),
        (lambda: gw.Transfer("a", "b", fraction=1.5), gw.SettingError, "from 0 to 1"),
        (lambda: gw.Transfer("a", "b", axis="up"), gw.SettingError, "out, in"),
    ],
)  # fmt: skip
def test_refusals_change_nothing(
    net: nn.Module, operator: Callable[[], gw.Operator], error: type[Exception], match: str
) -> None:
    before = gw.fingerprint(net)
    with pytest.raises(error, match=match):
        gw.mutate(net, operator(), seed=1, inplace=True)
    assert gw.fingerprint(net) == before


def test_frozen_layers_only_by_full_name(net: nn.Module) -> None:
    net["b"].requires_grad_(False)
    with pytest.raises(gw.SelectionError, match=r"'b\.weight'"):
        gw.mutate(net, gw.Transfer("a", "b"), seed=1)
    mutant = gw.mutate(net, gw.Transfer("a.weight", "b.weight"), seed=1)
    assert torch.equal(mutant["b"].weight, net["a"].weight)


def test_between_dtypes_it_rounds_once(net: nn.Module) -> None:
    net["b"].bfloat16()
    mutant = gw.mutate(net, gw.Transfer("a", "b"), seed=1)
    assert torch.equal(mutant["b"].weight, net["a"].weight.bfloat16())


def test_undo_replay_and_the_seeds_choice(net: nn.Module) -> None:
    before = gw.fingerprint(net)
    with gw.mutated(net, gw.Transfer("a", "b"), seed=1):
        assert torch.equal(net["b"].weight, net["a"].weight)
    assert gw.fingerprint(net) == before
    chosen = {gw.recipe(gw.mutate(net, gw.Transfer(), seed=seed)).steps[0].operator for seed in range(12)}
    assert len(chosen) > 1
    assert all(operator.source and operator.target for operator in chosen)
    mutant = gw.mutate(net, gw.Transfer(), seed=3)
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), net)) == gw.fingerprint(mutant)


def test_a_plan_says_where_it_comes_from(net: nn.Module) -> None:
    text = str(gw.plan(net, gw.Transfer("a", "b", fraction=0.5), seed=1))
    assert "copied from a.weight, 4 positions of axis 0" in text


def test_the_conformance_suite() -> None:
    gw.check_operator(gw.Transfer)


# From a donor, a smaller or larger network.


def tower(width: int, *, seed: int, inputs: int = 5, norm: bool = True) -> nn.Module:
    torch.manual_seed(seed)
    layers: dict[str, nn.Module] = {"first": nn.Linear(inputs, width)}
    if norm:
        layers["norm"] = nn.BatchNorm1d(width)
    layers["last"] = nn.Linear(width, 3)
    made = nn.ModuleDict(layers)
    for name, tensor in (*made.named_parameters(), *made.named_buffers()):
        if tensor.is_floating_point():
            tensor.data.normal_().abs_() if "var" in name else tensor.data.normal_()
        else:
            tensor.fill_(seed)
    return made


def overlapped(own: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """The definition: what both shapes have in common is the donor's, the rest stays."""
    made = own.detach().clone()
    for position in itertools.product(*(range(min(a, b)) for a, b in zip(own.shape, theirs.shape, strict=True))):
        made[position] = theirs[position]
    return made


@pytest.mark.parametrize(("own", "theirs"), [(8, 5), (5, 8), (6, 6)])
@pytest.mark.parametrize(("inputs", "their_inputs"), [(5, 5), (4, 6), (7, 2)])
def test_what_all_axes_have_in_common_is_the_donors(own: int, theirs: int, inputs: int, their_inputs: int) -> None:
    base, donor = tower(own, seed=1, inputs=inputs), tower(theirs, seed=2, inputs=their_inputs)
    before, untouched = gw.fingerprint(base), gw.fingerprint(donor)
    mutant = gw.mutate(base, gw.Transfer(donor="d"), seed=1, donors={"d": donor})
    made, given = mutant.state_dict(), donor.state_dict()
    for name, old in base.state_dict().items():
        assert torch.equal(made[name], overlapped(old, given[name])), name
    assert (gw.fingerprint(base), gw.fingerprint(donor)) == (before, untouched)


def test_statistics_come_with_their_weights_unless_told_otherwise() -> None:
    base, donor = tower(6, seed=1), tower(4, seed=2)
    for statistics in (True, False):
        mutant = gw.mutate(base, gw.Transfer(donor="d", statistics=statistics), seed=1, donors={"d": donor})
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            old, theirs, new = (getattr(m["norm"], name) for m in (base, donor, mutant))
            assert torch.equal(new, overlapped(old, theirs) if statistics else old), name
        assert torch.equal(mutant["norm"].weight[:4], donor["norm"].weight)


def test_stars_stand_for_the_same_text_on_both_sides() -> None:
    torch.manual_seed(3)
    base = nn.ModuleDict({"encoder": nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4)), "head": nn.Linear(4, 2)})
    donor = nn.ModuleDict({"model": nn.ModuleDict({"body": nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4))})})
    theirs = donor["model"]["body"]
    mutant = gw.mutate(base, gw.Transfer("model.body.*", "encoder.*", donor="d"), seed=1, donors={"d": donor})
    for at in (0, 1):
        assert torch.equal(mutant["encoder"][at].weight, theirs[at].weight)
        assert torch.equal(mutant["encoder"][at].bias, theirs[at].bias)
    assert torch.equal(mutant["head"].weight, base["head"].weight)
    only = gw.mutate(base, gw.Transfer("model.body.1.?ias", "encoder.1.?ias", donor="d"), seed=1, donors={"d": donor})
    assert torch.equal(only["encoder"][1].bias, theirs[1].bias)
    assert torch.equal(only["encoder"][1].weight, base["encoder"][1].weight)
    layer = gw.mutate(base, gw.Transfer("model.body.0", "encoder.0", donor="d"), seed=1, donors={"d": donor})
    assert torch.equal(layer["encoder"][0].weight, theirs[0].weight)
    assert torch.equal(layer["encoder"][1].weight, base["encoder"][1].weight)


def test_brackets_in_names_are_no_pattern() -> None:
    base, donor = nn.ModuleDict({"a[0]": nn.Linear(2, 2)}), nn.ModuleDict({"b[0]": nn.Linear(2, 2)})
    mutant = gw.mutate(base, gw.Transfer("b[0]", "a[0]", donor="d"), seed=1, donors={"d": donor})
    assert torch.equal(mutant["a[0]"].weight, donor["b[0]"].weight)


def test_the_plan_says_what_is_copied_cut_and_skipped() -> None:
    base, donor = tower(6, seed=1), tower(4, seed=2, norm=False)
    plan = gw.plan(base, gw.Transfer(donor="d"), seed=1, donors={"d": donor})
    note = plan.steps[0].note
    assert note.startswith("1 tensors copied whole, 3 in part, 5 skipped; ")
    assert "first.weight (4, 5) -> (6, 5)" in note
    assert "last.weight (3, 4) -> (3, 6)" in note
    assert "norm.running_mean: the donor has no 'norm.running_mean'" in note
    assert note in str(plan)
    assert plan.to_json()["steps"][0]["note"] == note
    assert gw.fingerprint(plan.apply()) == gw.fingerprint(
        gw.mutate(base, gw.Transfer(donor="d"), seed=1, donors={"d": donor})
    )


def test_other_numbers_of_axes_are_skipped_and_named() -> None:
    base = nn.ModuleDict({"a": nn.Conv2d(2, 2, 1), "b": nn.Linear(2, 2)})
    donor = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    plan = gw.plan(base, gw.Transfer(donor="d"), seed=1, donors={"d": donor})
    assert "a.weight: the donor's has 2 axes, this one 4" in plan.steps[0].note
    assert torch.equal(plan.apply()["a"].weight, base["a"].weight)


DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


@pytest.mark.parametrize("theirs", DTYPES)
@pytest.mark.parametrize("own", DTYPES)
def test_from_a_donor_of_another_dtype_it_rounds_once(own: torch.dtype, theirs: torch.dtype) -> None:
    base, donor = nn.Linear(4, 3, dtype=own), nn.Linear(4, 3, dtype=theirs)
    if theirs == torch.float64:
        donor.weight.data.copy_(donor.weight.float())  # torch, the oracle, rounds a double to a half twice
        donor.bias.data.copy_(donor.bias.float())
    mutant = gw.mutate(base, gw.Transfer(donor="d"), seed=1, donors={"d": donor})
    assert mutant.weight.dtype == own
    assert torch.equal(mutant.weight, donor.weight.to(own))


def test_a_file_is_read_as_a_donor_and_stays(tmp_path: Path) -> None:
    base, donor = tower(4, seed=1), tower(6, seed=2)
    file = tmp_path / "donor.safetensors"
    gw.save(donor, file)
    content = file.read_bytes()
    opened = gw.read_checkpoint(file)
    mutant = gw.mutate(base, gw.Transfer(donor="d"), seed=1, donors={"d": opened})
    assert gw.fingerprint(mutant) == gw.fingerprint(
        gw.mutate(base, gw.Transfer(donor="d"), seed=1, donors={"d": donor})
    )
    again = gw.replay(gw.Recipe.from_json(gw.recipe(mutant).to_json()), base, donors=[gw.read_checkpoint(file)])
    assert gw.fingerprint(again) == gw.fingerprint(mutant)
    assert file.read_bytes() == content
    gw.save(base, tmp_path / "base.safetensors")
    on_file = gw.mutate(gw.read_checkpoint(tmp_path / "base.safetensors"), gw.Transfer(donor="d"), seed=1,
                        donors={"d": opened})  # fmt: skip
    assert gw.fingerprint(on_file) == gw.fingerprint(mutant)


def test_undo_and_in_place_from_a_donor() -> None:
    base, donor = tower(6, seed=1), tower(4, seed=2)
    before = gw.fingerprint(base)
    wanted = gw.fingerprint(gw.mutate(base, gw.Transfer(donor="d"), seed=1, donors={"d": donor}))
    with gw.mutated(base, gw.Transfer(donor="d"), seed=1, donors={"d": donor}) as mutant:
        assert gw.fingerprint(mutant) == wanted
    assert gw.fingerprint(base) == before
    assert gw.fingerprint(gw.mutate(base, gw.Transfer(donor="d"), seed=1, donors={"d": donor}, inplace=True)) == wanted


def test_a_model_is_its_own_donor_as_it_was_before() -> None:
    """In place, the donor would change with the model: what is read then is what was there at first."""
    operators = [gw.Zero(rate=1.0), gw.Transfer("first", "first", donor="self")]
    base = tower(4, seed=1)
    copied = gw.mutate(base, operators, seed=1, donors={"self": base})
    assert torch.equal(copied["first"].weight, base["first"].weight)
    assert not copied["last"].weight.any()
    with gw.mutated(base, operators, seed=1, donors={"self": base}) as mutant:
        assert gw.fingerprint(mutant) == gw.fingerprint(copied)
    original = gw.mutate(base, gw.Transfer(donor="self"), seed=1, donors={"self": base})
    gw.mutate(base, operators, seed=1, donors={"self": base}, inplace=True)
    assert gw.fingerprint(base) == gw.fingerprint(copied)
    assert gw.recipe(base).to_json() == gw.recipe(copied).to_json()
    assert gw.fingerprint(gw.replay(gw.recipe(base), original, donors=[original])) == gw.fingerprint(copied)


def test_frozen_tensors_only_by_full_name_from_a_donor_too() -> None:
    base, donor = tower(4, seed=1), tower(4, seed=2)
    base["first"].requires_grad_(False)
    mutant = gw.mutate(base, gw.Transfer(donor="d"), seed=1, donors={"d": donor})
    assert torch.equal(mutant["first"].weight, base["first"].weight)
    named = gw.mutate(base, gw.Transfer("first.weight", "first.weight", donor="d"), seed=1, donors={"d": donor})
    assert torch.equal(named["first"].weight, donor["first"].weight)


def test_tied_tensors_are_found_by_any_of_their_names() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(5, 3)
            self.head = nn.Linear(3, 5, bias=False)
            self.head.weight = self.embed.weight

    base, donor = Tied(), nn.ModuleDict({"head": nn.Linear(3, 5, bias=False)})
    mutant = gw.mutate(base, gw.Transfer("head", "head", donor="d"), seed=1, donors={"d": donor})
    assert mutant.head.weight is mutant.embed.weight
    assert torch.equal(mutant.head.weight, donor["head"].weight)


@pytest.mark.parametrize(
    ("operator", "error", "match"),
    [
        (lambda: gw.Transfer("nothing", "first", donor="d"), gw.SelectionError, "the donor has no 'nothing"),
        (lambda: gw.Transfer("first", "frist", donor="d"), gw.SelectionError, "'frist'. There are: first.weight"),
        (lambda: gw.Transfer(donor="e"), gw.UnknownNameError, r"donors=\{'e': model\}"),
        (lambda: gw.Transfer("*.a.*", "*", donor="d"), gw.SettingError, "have 2 and 1"),
        (lambda: gw.Transfer(donor="d", fraction=0.5), gw.SettingError, "leave them out with a donor"),
        (lambda: gw.Transfer(donor="d", axis="in"), gw.SettingError, "leave them out with a donor"),
    ],
)  # fmt: skip
def test_refusals_of_donors_change_nothing(
    operator: Callable[[], gw.Operator], error: type[Exception], match: str
) -> None:
    base, donor = tower(4, seed=1), tower(6, seed=2)
    before = gw.fingerprint(base)
    for call in (gw.mutate, gw.plan):
        with pytest.raises(error, match=match):
            call(base, operator(), seed=1, inplace=True, donors={"d": donor})
    assert gw.fingerprint(base) == before


def test_a_transposed_kernel_is_not_taken_for_an_ordinary_one() -> None:
    """Its shape may agree, and its numbers would then stand for other weights."""
    base = nn.ModuleDict({"a": nn.Conv2d(4, 4, 3)})
    donor = nn.ModuleDict({"a": nn.ConvTranspose2d(4, 4, 3)})
    with pytest.raises(gw.UnsupportedError, match=r"'a.weight' and 'a.weight' are laid out differently.*axis 1.*0"):
        gw.mutate(base, gw.Transfer(donor="d"), seed=1, donors={"d": donor})

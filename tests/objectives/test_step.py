"""One step on a model small enough to check by autograd.

The traps are those seen in public code of Objective Soups.
"""

import logging

import pytest
import torch
from torch import nn

from espnet_merge.errors import InputError
from espnet_merge.objectives.conf import read_conf
from espnet_merge.objectives.gradients import layers_of
from espnet_merge.objectives.modo import MoDo
from espnet_merge.objectives.state import State
from espnet_merge.objectives.step import ObjectivesStep

KINDS = frozenset({("transcribe", "es"), ("translate", "es")})
PAIR = {"asr": {"task": "transcribe"}, "st": {"task": "translate"}}


class Tiny(nn.Module):
    """Two shared layers, a decoder, and a head for each task."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Module()
        self.encoder.conv = nn.Linear(4, 6)
        self.encoder.layers = nn.ModuleList([nn.Linear(6, 5)])
        self.decoder = nn.Module()
        self.decoder.layers = nn.ModuleList([nn.Linear(5, 5)])
        self.heads = nn.ModuleDict({"asr": nn.Linear(5, 2), "st": nn.Linear(5, 2)})

    def forward(self, speech, target, head):
        hidden = torch.tanh(self.encoder.conv(speech))
        hidden = torch.tanh(self.encoder.layers[0](hidden))
        hidden = torch.tanh(self.decoder.layers[0](hidden))
        loss = (self.heads[head](hidden) - target).square().mean()
        return loss[None], {"loss": loss.detach()[None]}, torch.tensor([len(speech)])

    def weighed(self, batch):
        return batch, len(batch["speech"])


def batch(head, seed, size=3):
    generator = torch.Generator().manual_seed(seed)
    speech, target = (torch.randn(size, n, generator=generator) for n in (4, 2))
    return [f"u{seed}"] * size, {"speech": speech, "target": target, "head": head}


def batches(seed=0, samples=2, parts=1):
    return [
        [
            # Parts of 3, 1 utterances, as texts of a batch have many tokens or few.
            [
                batch(head, 100 * seed + 10 * s + 50 * p + i, size=3 - 2 * p)
                for p in range(parts)
            ]
            for s in range(samples)
        ]
        for i, head in enumerate(("asr", "st"))
    ]


def make(epoch=1, model=None, state=None, kinds=KINDS, **given):
    conf = read_conf(
        {"objectives": PAIR, "shared": r"encoder\.", "layers": {"select": False}}
        | given,
        kinds,
    )
    model = model or Tiny()
    owned = [o for o in conf.objectives.values() if o.own]
    layers = layers_of(
        model,
        lambda n: n.startswith("encoder.") and not any(o.owns(n) for o in owned),
    )
    state = state or State(conf, len(layers))
    return ObjectivesStep(model, state, conf, layers, epoch=epoch)


def gradient(model, named_batch):
    """The gradient of one batch by plain autograd, name by name."""
    loss = model(**named_batch[1])[0].sum()
    names, parameters = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return {
        name: torch.zeros_like(p) if g is None else g
        for name, p, g in zip(names, parameters, found, strict=True)
    }


def part(gradients, name):
    return torch.cat([g.flatten() for n, g in gradients.items() if name in n])


def flat(gradients):
    return part(gradients, "encoder")


def test_modo_by_hand():
    """Gradients of the shared layers, weights and direction, all by plain autograd."""
    step, data = make(solver_conf={"gamma": 30.0}), batches()
    model = step.model
    first = [gradient(model, data[i][0][0]) for i in range(2)]
    second = [gradient(model, data[i][1][0]) for i in range(2)]
    g1, g2 = (torch.stack([flat(g) for g in side]) for side in (first, second))
    weights = MoDo(gamma=30.0)(torch.full((2,), 0.5), g2 @ g1.T)
    step(data)
    torch.testing.assert_close(step.state.weights, weights)
    assert abs(weights[0] - 0.5) > 0.01
    for name, parameter in model.named_parameters():
        if "encoder" in name:
            expected = sum(w * g[name] for w, g in zip(weights, first, strict=True))
        else:  # static weights, and both samples
            expected = sum(g[name] for g in first + second) / 4
        if "heads" in name:
            head = name.split(".")[1]
            index = ["asr", "st"].index(head)
            expected = (first[index][name] + second[index][name]) / 4
        torch.testing.assert_close(parameter.grad, expected)


def test_own_parameters_get_only_their_own_gradient():
    """And get it whole, whatever the weight of the level is."""
    own = {
        "asr": PAIR["asr"],
        "st": PAIR["st"] | {"own": r"decoder\.|heads\.st"},
    }
    step, data = make(objectives=own), batches()
    expected = [gradient(step.model, data[1][s][0]) for s in range(2)]
    step(data)
    for name, parameter in step.model.named_parameters():
        if "decoder" in name or "heads.st" in name:
            mean = (expected[0][name] + expected[1][name]) / 2
            torch.testing.assert_close(parameter.grad, mean)
        assert parameter.requires_grad


def test_what_several_objectives_own_gets_the_mean_of_their_gradients():
    """As the head of BEST-RQ, which those of all languages own."""
    kinds = KINDS | {("translate", "it"), ("translate", "ru")}
    st = PAIR["st"] | {"own": r"heads\.st", "by_language": True}
    step = make(kinds=kinds, objectives={"asr": PAIR["asr"], "st": st})
    asr, spanish = batches()
    translations = [spanish, batches(seed=1)[1], batches(seed=2)[1]]
    own = [gradient(step.model, part[0]) for o in translations for part in o]
    step([asr, *translations])
    for name, parameter in step.model.heads.st.named_parameters():
        mean = sum(g[f"heads.st.{name}"] for g in own) / len(own)
        torch.testing.assert_close(parameter.grad, mean)


@pytest.mark.parametrize("solver", ["MGDA", "UPGrad", "PCGrad"])
def test_aggregators_of_torchjd(solver):
    from torchjd import aggregation

    step, data = make(solver=solver), batches(samples=1)
    rows = torch.stack([flat(gradient(step.model, data[i][0][0])) for i in range(2)])
    step(data)
    found = flat({n: p.grad for n, p in step.model.named_parameters()})
    expected = getattr(aggregation, solver)()(rows.double()).float()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def levels(eta):
    return [{"objectives": ["asr"]}, {"objectives": ["st"], "weight": eta}]


def test_levels_are_added_with_their_weights():
    data = batches(samples=1)
    step = make(epoch=3, levels=levels({"first": 0.1, "rise": 0.02}))
    first = [gradient(step.model, data[i][0][0]) for i in range(2)]
    step(data)
    for name, parameter in step.model.named_parameters():
        if "encoder" in name:
            expected = first[0][name] + 0.14 * first[1][name]
            torch.testing.assert_close(parameter.grad, expected)


def test_trap_the_penalty_rises_by_epoch_and_not_by_batch():
    step = make(epoch=2, levels=levels({"first": 0.1, "rise": 0.02}))
    weights = [step(batches(seed, samples=1))[1]["weight_st"].item() for seed in (0, 1)]
    assert weights == pytest.approx([0.12, 0.12])


def test_a_level_of_weight_zero_trains_its_own_parameters_alone():
    own = {"asr": PAIR["asr"], "st": PAIR["st"] | {"own": r"heads\.st"}}
    data = batches(samples=1)
    step = make(objectives=own, levels=levels({"first": 0.0, "rise": 0.02}))
    expected = [gradient(step.model, data[i][0][0]) for i in range(2)]
    step(data)
    for name, parameter in step.model.named_parameters():
        index = int("heads.st" in name)
        torch.testing.assert_close(parameter.grad, expected[index][name])


def test_trap_every_loss_moves_the_weights():
    """No loss is the constant 0: each objective has a gradient and a statistic."""
    step = make()
    _, stats, _ = step(batches())
    assert stats["loss_asr"] > 0
    assert stats["loss_st"] > 0
    assert stats["loss"] == (stats["loss_asr"] + stats["loss_st"]) / 2
    for gradients in step.kept.values():
        assert gradients.gram().diagonal().gt(0).all()


def test_trap_weights_depend_on_all_shared_tensors():
    """Scaling up the gradient of any one shared layer changes the weights."""
    found = []
    for layer in (None, "encoder.conv", "encoder.layers.0"):
        step, data = make(solver="MGDA"), batches(samples=1)
        if layer:
            for parameter in step.layers[layer]:
                parameter.register_hook(lambda g: 5 * g)
        step(data)
        found.append(step.state.weights[0].item())
    assert len({round(weight, 4) for weight in found}) == 3


def test_trap_layers_without_conflict_move_with_static_weights():
    given = {"layers": {"select": True, "every": 4}, "solver_conf": {"gamma": 30.0}}
    step, data = make(**given), batches()
    step.state.cosines.copy_(torch.tensor([0.4, -0.2]))  # the second layer conflicts
    step.state.step.fill_(1)  # nobody's turn to be measured
    first, second = (
        [gradient(step.model, data[i][s][0]) for i in range(2)] for s in range(2)
    )
    step(data)
    weights = step.state.weights
    assert abs(weights[0] - 0.5) > 0.001
    for name, parameter in step.model.named_parameters():
        if "encoder.conv" in name:
            static = sum(g[name] for g in first + second) / 4
            torch.testing.assert_close(parameter.grad, static)
        elif "encoder.layers" in name:
            solved = sum(w * g[name] for w, g in zip(weights, first, strict=True))
            torch.testing.assert_close(parameter.grad, solved)
    assert set(step.kept) == {1}


def test_layers_are_measured_in_turn(caplog):
    caplog.set_level(logging.INFO)
    step = make(layers={"every": 4, "warm_up": 100})
    data = batches()
    both = [
        sum(part(gradient(step.model, sample[0]), "conv") for sample in objective)
        for objective in data
    ]
    for _ in range(4):
        step(data)
    (first, layer, cosine), second = step.measured
    assert (first, layer) == (0, "encoder.conv")
    assert second[:2] == (2, "encoder.layers.0")
    expected = torch.nn.functional.cosine_similarity(*both, dim=0)
    assert cosine == pytest.approx(expected.item(), abs=1e-5)
    assert step.state.cosines[0].item() == pytest.approx(cosine)
    assert torch.equal(step.state.weights, torch.tensor([0.5, 0.5]))  # warm-up
    assert "conflicting layers:" in caplog.text


@pytest.mark.parametrize("select", [True, False])
def test_trap_the_encoder_moves_although_grad_is_set_to_none(select):
    """ESPnet's zero_grad comes after each step; the next one must write anew."""
    step = make(layers={"select": select, "every": 2})
    optimizer = torch.optim.SGD(step.parameters(), lr=0.1)
    for seed in range(3):
        before = [p.detach().clone() for p in step.model.parameters()]
        step(batches(seed))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        for old, new in zip(before, step.model.parameters(), strict=True):
            assert not torch.equal(old, new)


def test_trap_weight_decay_is_applied_once_to_what_moves_and_not_at_all_to_the_rest():
    step, data = make(), batches()
    data[1] = [[poisoned(p) for p in sample] for sample in data[1]]
    optimizer = torch.optim.AdamW(step.parameters(), lr=0.1, weight_decay=0.5)
    before = {n: p.detach().clone() for n, p in step.model.named_parameters()}
    step(data)
    gradients = {n: p.grad for n, p in step.model.named_parameters()}
    assert gradients["heads.st.weight"] is None
    optimizer.step()
    after = dict(step.model.named_parameters())
    assert torch.equal(after["heads.st.weight"], before["heads.st.weight"])
    for name, old in before.items():
        if gradients[name] is not None:
            # Adam's first step is the sign of the gradient; decay shrinks by 1 - 0.05.
            expected = old * 0.95 - 0.1 * gradients[name].sign()
            torch.testing.assert_close(after[name], expected, atol=1e-3, rtol=1e-3)


def poisoned(named_batch):
    names, values = named_batch
    return names, values | {"target": torch.full_like(values["target"], float("nan"))}


def test_a_loss_that_is_not_finite_is_left_out_counted_and_stops(caplog):
    step, data = make(max_skipped=3), batches()
    first = gradient(step.model, data[0][0][0])
    bad = [data[0], [[poisoned(p) for p in sample] for sample in data[1]]]
    step(bad)
    assert step.state.skipped.tolist() == [0, 1]
    assert "objective st: its loss is not finite" in caplog.text
    assert torch.equal(step.state.weights, torch.tensor([0.5, 0.5]))
    grad = step.model.encoder.conv.weight.grad
    torch.testing.assert_close(grad, first["encoder.conv.weight"] / 2)
    step(data)
    assert step.state.skipped.tolist() == [0, 0]
    step(bad)
    step(bad)
    with pytest.raises(InputError, match=r"objective st must have a finite loss.* 3 "):
        step(bad)


def test_no_finite_loss_at_all_takes_no_step():
    step = make()
    bad = [[[poisoned(p) for p in sample] for sample in o] for o in batches()]
    step(bad)
    norm = torch.nn.utils.clip_grad_norm_(step.parameters(), 1.0)
    assert not norm.isfinite()  # by which ESPnet tells


@pytest.mark.parametrize("solver", ["modo", "MGDA", "static"])
def test_accumulated_parts_equal_one_large_batch(solver):
    samples = 2 if solver == "modo" else 1
    parts = batches(samples=samples, parts=2)
    whole = [
        [
            [
                (
                    sample[0][0] + sample[1][0],
                    {
                        key: torch.cat([p[1][key] for p in sample])
                        for key in ("speech", "target")
                    }
                    | {"head": sample[0][1]["head"]},
                )
            ]
            for sample in objective
        ]
        for objective in parts
    ]
    found = []
    for data in (parts, whole):
        step = make(solver=solver)
        _, stats, _ = step(data)
        gradients = [p.grad.clone() for p in step.model.parameters()]
        found.append([*gradients, *stats.values()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_static_weights_are_joint_training():
    step, data = make(solver="static"), batches(samples=1)
    step(data)
    assert step.kept == {}
    gradients = [gradient(step.model, data[i][0][0]) for i in range(2)]
    for name, parameter in step.model.named_parameters():
        expected = (gradients[0][name] + gradients[1][name]) / 2
        torch.testing.assert_close(parameter.grad, expected)


def reduced_step(rank, store, found):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=2
    )
    step = make(layers={"every": 1, "select": False}, solver_conf={"gamma": 30.0})
    step.distributed = True
    data = [
        [[share(p, rank) for p in sample] for sample in objective]
        for objective in batches()
    ]
    _, stats, _ = step(data)
    if rank == 0:
        gradients = {n: p.grad for n, p in step.model.named_parameters()}
        torch.save((gradients, stats, step.state.state_dict()), found)
    torch.distributed.destroy_process_group()


def share(named_batch, rank):
    """Two utterances for one process, one for the other."""
    names, values = named_batch
    shared = {key: values[key][rank::2] for key in ("speech", "target")}
    return names[rank::2], values | shared


def test_two_processes_give_the_update_of_one(tmp_path):
    context = torch.multiprocessing.get_context("spawn")
    found = tmp_path / "found.pth"
    workers = [
        context.Process(target=reduced_step, args=(rank, tmp_path / "store", found))
        for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    step = make(layers={"every": 1, "select": False}, solver_conf={"gamma": 30.0})
    _, expected, _ = step(batches())
    gradients, stats, state = torch.load(found)
    for name, value in expected.items():
        torch.testing.assert_close(stats[name], value)
    for name, parameter in step.model.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad)
    for name, value in step.state.state_dict().items():
        torch.testing.assert_close(state[name], value)
    assert abs(state["weights"][0] - 0.5) > 0.01


@pytest.mark.filterwarnings("ignore:CUDA is not available or torch_xla")
@pytest.mark.parametrize("solver", ["modo", "UPGrad"])
def test_a_scaled_loss_gives_the_same_step(solver):
    """Mixed precision scales losses; weights and, unscaled, gradients are the same."""
    given = {"solver": solver}
    if solver == "modo":
        given["solver_conf"] = {"gamma": 30.0}
    data = batches(samples=2 if solver == "modo" else 1)
    plain, scaled = make(**given), make(**given)
    scaled.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    optimizer = torch.optim.SGD(scaled.model.parameters(), lr=0.1)
    plain(data)
    scaled(data)
    scaled.scaler.unscale_(optimizer)
    torch.testing.assert_close(scaled.state.weights, plain.state.weights)
    assert solver != "modo" or abs(plain.state.weights[0] - 0.5) > 0.001
    pairs = zip(plain.model.parameters(), scaled.model.parameters(), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.filterwarnings("ignore:CUDA is not available or torch_xla")
def test_an_overflow_of_mixed_precision_leaves_the_weights():
    step = make()
    step.scaler = torch.amp.GradScaler("cpu", init_scale=float("inf"))
    optimizer = torch.optim.SGD(step.model.parameters(), lr=0.1)
    step(batches())
    assert torch.equal(step.state.weights, torch.tensor([0.5, 0.5]))
    before = [p.detach().clone() for p in step.model.parameters()]
    step.scaler.step(optimizer)
    step.scaler.update()
    for old, new in zip(before, step.model.parameters(), strict=True):
        assert torch.equal(old, new)

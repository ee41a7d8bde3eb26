"""From experts and development sets to advice, within the time that is given."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet_merge.advice.advice import ADVICE_JSON, Advice, configs_of
from espnet_merge.advice.facts import Facts, groups_of
from espnet_merge.advice.outlook import outlooks
from espnet_merge.advice.rules import decide
from espnet_merge.advice.settings import AdviceSettings
from espnet_merge.advice.trial import Trial
from espnet_merge.checkpoint import Adapter
from espnet_merge.decode.settings import Settings
from espnet_merge.disk.atomic import check_output
from espnet_merge.disk.cache import default_cache
from espnet_merge.errors import InputError
from espnet_merge.inspection import Inspection, measure
from espnet_merge.inspection.advice import advise as warnings_of
from espnet_merge.inspection.advice import clashes, conflicts
from espnet_merge.merging.planned import opened
from espnet_merge.search.sets import Sets, read_sets
from espnet_merge.whisper.converted import as_directory


@dataclass(frozen=True, kw_only=True)
class Question:
    """What advice is asked for.

    Args:
        base: the base.
        experts: of it.
        data: a development set of each expert, in their order.
        output: directory of the advice, if it is to be written.
        overwrite: whether older advice there may be replaced.
        decoding: how experts and merges decode the sets.
        base_decoding: how the base does, which was trained with other silence; it also
            hears the language.
        settings: what is tried, and how long.
        jobs: number of threads that merge.
    """

    base: Path
    experts: Sequence[Path]
    data: Sequence[Path]
    output: Path | None
    overwrite: bool
    decoding: Settings
    base_decoding: Settings
    settings: AdviceSettings
    jobs: int = 1

    def answer(self) -> Advice:
        """Inspect, try, decide; write the advice if there is an output.

        Raises:
            InputError: inputs do not belong together, or a set is one of translations.
        """
        started = time.process_time()
        asked = self.settings
        if self.output:
            check_output(self.output, overwrite=self.overwrite, mark=ADVICE_JSON)
        model = as_directory(self.base, default_cache())
        sets = read_sets(self.data, [], model, self.decoding)
        _check(sets)
        shared = opened(model, self.experts)
        inspection = measure(shared["base"], shared["experts"])
        groups = _groups(inspection)
        tried = Trial(
            shared=shared,
            sets=sets,
            base_decoding=self.base_decoding,
            method=asked.method,
            groups=groups,
            normalizer=asked.normalizer,
            ends=started + asked.seconds,
            utterances=asked.utterances,
            jobs=self.jobs,
        ).run()
        names = [[inspection.labels[n] for n in group] for group in groups]
        facts = Facts(
            sample=tried.sample,
            groups=names,
            why_groups=_why(names),
            identified=tried.identified if _differ(sets) else None,
            adapters=all(isinstance(one, Adapter) for one in shared["experts"]),
        )
        rule = decide(facts)
        utterances = sum(len(one.utterances) for one in sets.data.values())
        advice = Advice(
            rule=rule,
            facts=facts,
            tried=tried,
            outlooks=outlooks(facts, tried, **shared, utterances=utterances),
            inspection=inspection,
            warnings=warnings_of(inspection),
            configs=configs_of(
                rule.advises, asked.method, self.base, self.experts, groups
            ),
            seconds=time.process_time() - started,
        )
        if self.output:
            advice.write(self.output, overwrite=self.overwrite)
        return advice


def _groups(inspection: Inspection) -> list[list[int]]:
    """Return the numbers of the experts that go together, by what was measured."""
    moments = inspection.total.moments
    apart = clashes(moments) | conflicts(moments)
    found = groups_of(apart)
    # Each on its own is no merge: the choice is to route.
    return found if len(found) < len(apart) else [[*range(len(apart))]]


def _why(groups: Sequence[Sequence[str]]) -> str:
    if len(groups) < 2:
        return ""
    told = " and ".join(", ".join(group) for group in groups)
    return f"experts pull apart (inspection), so these go together: {told}"


def _differ(sets: Sets) -> bool:
    """Return whether each set is of one language, which no other set has."""
    languages = [
        {reference.spoken for reference in one.references} for one in sets.data.values()
    ]
    return sum(map(len, languages)) == len(set.union(*languages)) == len(languages)


def _check(sets: Sets) -> None:
    known: dict[str, Path] = {}
    for path, one in sets.data.items():
        for utterance in one.utterances:
            if (other := known.setdefault(utterance.name, path)) != path:
                raise InputError(
                    f"{path}: an utterance must have a name of its own in all sets;"
                    f" {utterance.name} is in {other}, too: rename those of one set."
                )
    for path, one in sets.data.items():
        if one.metric == "bleu":
            raise InputError(
                f"{path}: advice is by error rates, and this is a set of translations;"
                " give one of transcripts."
            )

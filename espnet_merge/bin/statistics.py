r"""Collect the data statistics of an expert, which fisher and regmean need.

Runs the expert over a Kaldi data directory with texts. Writes statistics.safetensors
(--kind fisher: mean squared gradients of every weight; --kind gram: products of the
inputs of every linear layer) and statistics.yaml (model, data and settings). A killed
run is resumed by the same command; finished statistics are kept.

For example:
  espnet-merge statistics --kind gram --model exp/full_es/model \
    --data dump/raw/es_valid --output exp/full_es/gram
  espnet-merge merge --method regmean --base exp/base \
    --experts exp/full_es/model exp/full_it/model --output exp/regmean/model \
    --set statistics=[exp/full_es/gram,exp/full_it/gram]
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.options import AnyPath, Option, part
from espnet_merge.statistics.settings import StatisticsSettings
from espnet_merge.whisper.source import model_option


@dataclass(frozen=True, kw_only=True)
class Command(StatisticsSettings):
    """Collect the data statistics of an expert."""

    model: Annotated[AnyPath, model_option("Hugging Face Whisper directory")]
    adapter: Annotated[
        AnyPath | None, model_option("LoRA adapter, trained on that model")
    ] = None
    data: Annotated[
        AnyPath, Option("Kaldi data directory with text", metavar="DATADIR")
    ]
    output: Annotated[AnyPath, Option("directory to write", metavar="DIR")]
    overwrite: Annotated[bool, Option("replace other statistics in --output")] = False

    def __call__(self) -> Path:
        """Collect the statistics if they are not there yet; return their directory."""
        from espnet_merge.checkpoint.labels import warn_of_labels
        from espnet_merge.statistics.collect import collect

        model, output = Path(self.model), Path(self.output)
        adapter = Path(self.adapter) if self.adapter else None
        warn_of_labels([model, *filter(None, [adapter])])
        settings = part(self, StatisticsSettings)
        collect(
            model,
            Path(self.data),
            output,
            settings,
            adapter,
            overwrite=self.overwrite,
        )
        return output


def main(command: Command) -> None:
    """Collect."""
    command()

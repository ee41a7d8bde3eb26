"""Merge with FusionBench's Python interface.

run_fusion_bench.py METHOD DTYPE OUTPUT BASE EXPERT…
"""

import sys

from fusion_bench.modelpool import BaseModelPool
from omegaconf import OmegaConf

LOADER = "transformers.WhisperForConditionalGeneration.from_pretrained"
# The embedding and its tied copy, which spectral methods of ours leave alone, too.
EMBEDDINGS = ["model.decoder.embed_tokens.weight", "proj_out.weight"]


def algorithm(method: str):
    if method == "soup":
        from fusion_bench.method import SimpleAverageAlgorithm

        return SimpleAverageAlgorithm()
    if method == "task_arithmetic":
        from fusion_bench.method import TaskArithmeticAlgorithm

        return TaskArithmeticAlgorithm(scaling_factor=0.3)
    if method == "ties":
        from fusion_bench.method import TiesMergingAlgorithm

        return TiesMergingAlgorithm(
            scaling_factor=0.3, threshold=20, remove_keys=[], merge_func="sum"
        )
    if method == "dare":
        from fusion_bench.method.dare import DareTaskArithmetic

        return DareTaskArithmetic(
            scaling_factor=0.3,
            sparsity_ratio=0.9,
            only_on_linear_weights=False,
            rescale=True,
        )
    if method in ("tsv_m", "tsv_m_all"):
        from fusion_bench.method.task_singular_vector import TaskSingularVectorMerging

        # By default it decomposes the embedding, and once more its tied copy.
        excluded = EMBEDDINGS if method == "tsv_m" else []
        return TaskSingularVectorMerging(alpha=1.0, exclude_keys=excluded)
    from fusion_bench.method.isotropic_merging import ISO_C_Merge

    return ISO_C_Merge(scaling_factor=1.0, exclude_keys=EMBEDDINGS)


def main(method: str, dtype: str, output: str, *models: str) -> None:
    names = ["_pretrained_", *(f"expert{number}" for number in range(len(models) - 1))]
    pool = {
        name: {
            "_target_": LOADER,
            "pretrained_model_name_or_path": path,
            "torch_dtype": dtype,
        }
        for name, path in zip(names, models, strict=True)
    }
    merged = algorithm(method).run(BaseModelPool(OmegaConf.create(pool)))
    merged.save_pretrained(output)


if __name__ == "__main__":
    main(*sys.argv[1:])

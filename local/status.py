#!/usr/bin/env python3
"""status.py EXPDIR: how far a recipe is; docs/slurm.md."""

from espnet_merge.cluster.progress import main

main()

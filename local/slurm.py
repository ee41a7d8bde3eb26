#!/usr/bin/env python3
"""slurm.py [options] [JOB=1:n] LOG COMMAND...: as Kaldi's slurm.pl; docs/slurm.md."""

from espnet_merge.cluster.run import main

main()

#!/usr/bin/env python3
"""run_plan.py --limit KIND=N... <PLAN: run a plan of local/plan.sh; docs/slurm.md."""

from espnet_merge.cluster.graph import main

main()

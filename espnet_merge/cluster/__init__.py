"""Jobs of recipes, and a client of SLURM with the interface of Kaldi's ``slurm.pl``.

``request.py`` reads the command line and ``conf/slurm.conf``, ``scheduler.py`` asks
SLURM, ``record.py`` is what lies on disk, ``task.py`` runs in the job. ``client.py``
knows the tasks of one command, ``pool.py`` asks, submits and cancels for several, and
``run.py`` is the program. ``graph.py`` runs a plan (``plan.py``) of many commands, on
SLURM or on one machine; ``progress.py`` tells how far it is. Only the standard library
is needed.
"""

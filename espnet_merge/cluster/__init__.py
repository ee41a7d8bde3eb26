"""A client of SLURM with the interface of Kaldi's ``slurm.pl``.

``request.py`` reads the command line and ``conf/slurm.conf``, ``scheduler.py`` asks
SLURM, ``record.py`` is what lies on disk, ``task.py`` runs in the job, and
``client.py`` waits, resubmits and cancels. Only the standard library is needed.
"""

"""The loop that joins the rooms, without Dagster: plan, send, tidy, write, and say what is complete.

``services`` opens clients, lake and ledger from the settings, ``sandbox_process`` sees to it that the sandbox is there,
``known`` reads what planning may build on, ``acquire`` runs one dataset for one selection. What does not belong here:
anything about runs, schedules or partitions (that is orchestration), and anything about one provider.
"""

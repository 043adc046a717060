"""Replicas on the nodes of a Ray cluster: `load_env(..., ray_address=...)`.

replicas.py   this side: asks the placer, and talks to each agent over HTTP as ever
placer.py     a process of ours that is connected to the cluster, asked in lines of JSON
keeper.py     an actor per replica on its node: starts, diagnoses and removes a container
"""

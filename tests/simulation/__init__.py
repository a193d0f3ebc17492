"""Worlds full of faults, in which no credit may be lost.

A world is a function of its seed: users, replicas of Plushify, one store and one blob store that they share, an
image model, and everything that can go wrong, on virtual time. `python -m tests.simulation` runs one after the
other; a world that breaks a promise prints its seed and the shortest trace that still breaks it.

    plan      what happens, drawn from the seed
    replica   a process, and the faults in the wires to its ports
    watch     the store and the blob store, which check every change as it is committed
    clients   what users ask, and what they are told
    story     every line of every statement, explained by what was asked
    world     all of it together, until it is quiet
    shrink    the shortest trace of a failing world
"""

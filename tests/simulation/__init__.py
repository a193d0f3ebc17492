"""Simulator: worlds full of faults, in which no credit may be lost.

A world is a function of its seed: users, several replicas of Plushify, the store and the blob store that they share, an
image model, and faults, all on virtual time. `python -m tests.simulation` runs one world after another. For a world
that breaks a promise, it prints the seed and the shortest trace that still breaks one.

    plan             operations and rates of faults, drawn from the seed
    replica          one process, and the faults in the calls to its ports
    monitor          store and blob store that check every change when it takes effect
    clients          requests of users, and the responses
    reconciliation   every ledger entry explained by a request, every response compared with the stored data
    world            all of these together, until the last fault is over and everything has settled
    shrink           search for the shortest trace of a failing world
    planted          known mistakes, planted in the code to test the simulator itself
"""

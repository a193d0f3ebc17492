"""Chaos: real servers, real processes, and faults on a schedule while people use the service.

    plan        what is done to the service, and what its users do, from a seed
    cluster     PostgreSQL, SeaweedFS and the faults they can have
    single_machine   SQLite and a folder on a disk that fills up
    replica     one `plushify serve` that is killed and comes back
    visitor     one user, who retries what got no answer
    storm       all of it at once, until it is quiet
    verdict     what must hold then, from the database, the blobs, the users' answers and the model's bill
    report      the figures

`python -m tests.chaos --seed N` plans the same faults and requests for the same N. When exactly they meet is up to
real processes, so two runs are never alike.
"""

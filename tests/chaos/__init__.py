"""Chaos test: real servers and real processes under load, and faults on a schedule.

    plan             faults, and requests of users, drawn from a seed
    cluster          site: PostgreSQL and SeaweedFS, with their faults
    single_machine   site: SQLite and a folder, on a disk that fills up
    replica          one `plushify serve` that is killed and restarted
    user             one user, who retries every request without a response
    storm            all of these at once, until everything has settled
    bill             calls that the image model received, and what it charged
    verdict          promises checked against the database, the blobs, the responses and the bill
    report           figures of a run

`python -m tests.chaos --seed N` plans the same faults and requests for the same N. Their exact timing depends on real
processes, so two runs are never identical.
"""

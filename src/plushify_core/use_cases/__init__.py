"""Operations on the domain, each over the ports it needs."""

"""A generation by evosax: Open_ES, the networks under jax.vmap, all compiled."""

from __future__ import annotations

import os

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import jax.numpy as jnp
import optax
from evosax.algorithms import Open_ES
from timing import Ways, main


def made(way: str, members: int, hidden: int, batch: int) -> Ways:
    """Return what evaluates a population, and a whole generation."""
    key, *keys = jax.random.split(jax.random.key(0), 5)
    first, last = jax.random.normal(keys[0], (784, hidden)) / 28, jax.random.normal(keys[1], (hidden, 10)) / 28
    base = {"first": first, "bias": jnp.zeros(hidden), "last": last, "end": jnp.zeros(10)}
    x, y = jax.random.normal(keys[2], (batch, 784)), jax.random.randint(keys[3], (batch,), 0, 10)

    def loss(own: dict[str, jax.Array]) -> jax.Array:
        seen = jnp.tanh(x @ own["first"] + own["bias"]) @ own["last"] + own["end"]
        return optax.softmax_cross_entropy_with_integer_labels(seen, y).mean()

    losses = jax.jit(jax.vmap(loss))
    strategy = Open_ES(
        members, base, use_antithetic_sampling=False, std_schedule=optax.constant_schedule(0.01)
    )  # its steps are compiled by itself
    settings = strategy.default_params
    state = strategy.init(key, base, settings)
    population, state = strategy.ask(key, state, settings)

    def generation() -> None:
        nonlocal key, state
        key, ask, tell = jax.random.split(key, 3)
        members, state = strategy.ask(ask, state, settings)
        state, _ = strategy.tell(tell, members, losses(members), state, settings)
        jax.block_until_ready(state)

    return {"evaluation": lambda: losses(population).block_until_ready(), "generation": generation}


if __name__ == "__main__":
    main(made)

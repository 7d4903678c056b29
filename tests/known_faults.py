"""Tests that are known to fail, each with what is to be mended: the list is to become empty again."""

_SUBCLASSED = "refuses subclassed Keras models, which the table of expected refusals does not say yet"
_SWAP_ORDER = "SwapUnits gives other bytes where the tensors are listed in reverse; the cause is not known yet"
_SWAP_OUTPUTS = "without an example SwapUnits spares the output layers of a Keras graph, and of its file none"

KNOWN_FAULTS: dict[str, str] = {
    **{
        f"tests/backends/keras/test_conformance.py::test_every_operator_keeps_every_invariant_or_refuses[{name}]": (
            _SUBCLASSED
        )
        for name in (
            "copy_layer-subclassed",
            "grow_inputs-subclassed",
            "resize_vocabulary-subclassed",
            "rewind-subclassed",
            "shrink_inputs-subclassed",
        )
    },
    **{
        f"tests/backends/keras/test_files.py::test_a_file_is_the_network_that_it_was_saved_from[{net}-{ending}]": (
            _SWAP_OUTPUTS
        )
        for net in ("classifier", "reader")
        for ending in (".keras", ".h5", ".weights.h5")
    },
    "tests/fuzz/test_fuzz.py::test_a_good_input_is_accepted[replays]": (
        "a replay in a fresh process imports more than the bound of memory counts"
    ),
    "tests/fuzz/test_fuzz.py::test_some_hostile_inputs[replays]": (
        "a replay in a fresh process imports more than the bound of memory counts"
    ),
}

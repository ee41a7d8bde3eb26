"""What all methods share."""

from espnet_merge.methods.dare import Dare


def test_the_model_is_not_read_for_a_method_of_single_entries():
    def stream():
        raise AssertionError("the model was read")
        yield

    method = Dare()
    assert method.statistics_pass(stream()) is method

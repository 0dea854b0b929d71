from nas.errors import (
    DeviceError,
    InfeasibleError,
    InputError,
    NasError,
    StorageError,
    TooManyFailuresError,
    did_you_mean,
)


def test_exit_codes_tell_the_errors_apart():
    kinds = (InputError, InfeasibleError, StorageError, TooManyFailuresError, DeviceError)
    assert [kind.exit_code for kind in kinds] == [2, 3, 4, 5, 6]
    assert all(issubclass(kind, NasError) for kind in kinds)


def test_the_nearest_spelling_is_offered_only_when_near():
    assert did_you_mean("buget_ms", ["budget_ms", "seed"]) == " (did you mean 'budget_ms'?)"
    assert not did_you_mean("zzz", ["budget_ms", "seed"])
    assert not did_you_mean("x", [])

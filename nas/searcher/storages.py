"""The study that all workers share, in any Optuna storage, with one write for a claim and one for its result.

`storage` is a path (a journal file), an RDB URL (`postgresql://...`), Optuna's gRPC proxy (`grpc://host:port`), a
storage object, or None for memory.
"""

from __future__ import annotations

import importlib
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import (
    BaseStorage,
    GrpcStorageProxy,
    InMemoryStorage,
    JournalStorage,
    RDBStorage,
    get_storage,
)
from optuna.trial import FrozenTrial, TrialState

from nas.errors import InputError, StorageError
from nas.searcher.claims import turn
from nas.searcher.journal import LockedJournal

Storage = Path | str | BaseStorage | None

SETTINGS = "settings"
GRPC_TIMEOUT_S = 10.0
OPENINGS = 4  # workers of several machines may make the tables of a fresh database at the same moment
_JOURNAL_ERRORS = (OSError, ValueError, KeyError, TypeError)  # the last three: lines that are no journal's
_DRIVERS = {"postgresql": "psycopg[binary]", "mysql": "PyMySQL", "mariadb": "PyMySQL"}


def _nothing() -> None:
    """What closing takes where nothing was opened."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedStudy:
    """The study as all workers see it. Every method raises StorageError when the storage fails.

    Attributes:
        label: The storage in messages and the key of its `turn`; a URL's password is left out.
        private: Whether nobody else can see it.
        errors: What the storage raises when it fails.
        close: Gives back the connections that were opened for it.
    """

    study: optuna.Study
    label: str
    private: bool
    errors: tuple[type[Exception], ...]
    close: Callable[[], None] = _nothing

    def trials(self) -> list[FrozenTrial]:
        """All trials by number, as they are now; not to be changed."""
        with _as_storage_error(self.label, self.errors):
            return self.study.get_trials(deepcopy=False)

    def add(self, trial: FrozenTrial) -> int:
        """Add a trial in whatever state, whole, in one write; return its id."""
        with _as_storage_error(self.label, self.errors):
            # No public method returns the id.
            return self.study._storage.create_new_trial(self.study._study_id, trial)  # noqa: SLF001

    def finish(self, trial_id: int, state: TrialState, value: float | None = None) -> bool:
        """Finish a trial; False when another worker has."""
        values = None if value is None else [value]
        with _as_storage_error(self.label, self.errors):
            try:
                return self.study._storage.set_trial_state_values(trial_id, state, values)  # noqa: SLF001
            except UpdateFinishedTrialError:
                return False

    def take(self, trial_id: int) -> bool:
        """Take a trial that waits; False when another worker has."""
        with _as_storage_error(self.label, self.errors):
            try:
                return self.study._storage.set_trial_state_values(trial_id, TrialState.RUNNING)  # noqa: SLF001
            except UpdateFinishedTrialError:
                return False

    def note(self, trial_id: int, key: str, value: object) -> None:
        """Set an attribute of a trial that is not finished; nothing where it is."""
        with _as_storage_error(self.label, self.errors):
            try:
                self.study._storage.set_trial_user_attr(trial_id, key, value)  # noqa: SLF001
            except UpdateFinishedTrialError:
                return

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Propose alone among the workers of this machine."""
        if self.private:
            yield
            return
        with turn(self.label):
            yield


def open_study(storage: Storage, name: str, settings: Mapping[str, str]) -> SharedStudy:
    """Open the study of a name, or begin one.

    Args:
        storage: Where it is kept.
        name: Its name there.
        settings: What makes its trials comparable, by name; kept in the study.

    Raises:
        InputError: The study was made with other settings (the text lists what changed), or a driver is missing.
        StorageError: The storage cannot be reached, read or written.
    """
    label = _label(storage)
    if storage is None or isinstance(storage, InMemoryStorage):
        return _begun(
            SharedStudy(study=_load(get_storage(storage), name), label=label, private=True, errors=()), settings
        )
    errors = _errors(storage)
    with turn(label), _as_storage_error(label, errors):
        opened, close = _opened(storage, errors)
        try:
            study = _load(opened, name)
            shared = SharedStudy(study=study, label=label, private=False, errors=errors, close=close)
            return _begun(shared, settings)
        except BaseException:
            close()
            raise


def _load(storage: BaseStorage, name: str) -> optuna.Study:
    return optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)


def _begun(shared: SharedStudy, settings: Mapping[str, str]) -> SharedStudy:
    found = shared.study.user_attrs.get(SETTINGS)
    if found is None and not shared.trials():
        shared.study.set_user_attr(SETTINGS, dict(settings))
    elif not isinstance(found, dict):
        raise InputError(
            f"{shared.label}: study '{shared.study.study_name}' is not one of this package; choose another name"
        )
    elif found != settings:
        changed = [key for key in {**found, **settings} if found.get(key) != settings.get(key)]
        lines = [f"{key}: {found.get(key, '(none)')} -> {settings.get(key, '(none)')}" for key in changed[:6]]
        more = f"; and {len(changed) - 6} more" if len(changed) > 6 else ""
        raise InputError(
            f"{shared.label}: study '{shared.study.study_name}' holds a search of other settings "
            f"({'; '.join(lines)}{more}); choose another run name or delete it"
        )
    return shared


def _opened(
    storage: Path | str | BaseStorage, errors: tuple[type[Exception], ...]
) -> tuple[BaseStorage, Callable[[], None]]:
    """A storage, and what gives its connections back."""
    if isinstance(storage, BaseStorage):
        return storage, _nothing
    if isinstance(storage, Path) or "://" not in storage:
        return JournalStorage(LockedJournal(Path(storage))), _nothing
    if storage.startswith("grpc://"):
        host, port = _address(storage)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            proxy = GrpcStorageProxy(host=host, port=port)
        proxy.wait_server_ready(timeout=GRPC_TIMEOUT_S)
        return proxy, proxy.close
    for attempt in range(OPENINGS):
        try:
            database = RDBStorage(storage, engine_kwargs={"pool_pre_ping": True})
        except ImportError as error:
            scheme = re.split(r"[+:]", storage)[0]
            driver = _DRIVERS.get(scheme, f"the driver of {scheme}")
            raise InputError(f"{_label(storage)} needs a driver ({error}); pip install '{driver}'") from None
        except ValueError as error:
            raise InputError(f"storage={_label(storage)}: not a database's URL ({error})") from None
        except errors:
            if attempt == OPENINGS - 1:
                raise
            time.sleep(0.2 * (attempt + 1))
        else:
            return get_storage(database), partial(_disconnect, database)
    raise AssertionError("returned or raised above")


def _disconnect(database: RDBStorage) -> None:
    database.remove_session()
    database.engine.dispose()


def _address(url: str) -> tuple[str, int]:
    found = re.fullmatch(r"grpc://(?P<host>[^/:]+|\[[^\]]+\]):(?P<port>\d+)/?", url)
    if found is None:
        raise InputError(f"storage={url}: write grpc://host:port")
    return found["host"], int(found["port"])


def _label(storage: Storage) -> str:
    match storage:
        case None:
            return "memory"
        case str() if "://" in storage:
            return re.sub(r"(://[^/@:]*):[^@]*@", r"\1:***@", storage)
        case str() | Path():
            return str(Path(storage).resolve())
        case _:
            return type(storage).__name__


def _errors(storage: Path | str | BaseStorage) -> tuple[type[Exception], ...]:
    """What a storage raises when it fails; only its own library is imported."""
    match storage:
        case Path() | JournalStorage():
            return _JOURNAL_ERRORS
        case str() if "://" not in storage:
            return _JOURNAL_ERRORS
        case GrpcStorageProxy():
            return _grpc_errors()
        case str() if storage.startswith("grpc://"):
            return _grpc_errors()
        case str() | RDBStorage():
            return (StorageInternalError, _class("sqlalchemy.exc", "SQLAlchemyError"), RuntimeError)
        case _:
            return (StorageInternalError,)


def _grpc_errors() -> tuple[type[Exception], ...]:
    return (_class("grpc", "RpcError"), ConnectionError)


def _class(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


@contextmanager
def _as_storage_error(label: str, errors: Sequence[type[Exception]]) -> Iterator[None]:
    try:
        yield
    except tuple(errors) as error:
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        what = "not a readable study" if isinstance(error, ValueError | KeyError | TypeError) else "the storage failed"
        raise StorageError(
            f"{label}: {what} ({reason or type(error).__name__}); repair it or choose another one, "
            f"then the same call goes on"
        ) from None

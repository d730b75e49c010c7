"""Lists that come in pages, and fetch the next page by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeVar, overload

from artfs.errors import InvalidValue

T = TypeVar("T")

PAGE_SIZE = 20
"""Items of a page when nobody says how many."""


class Page(Generic[T]):
    """One page of a list. It acts as the whole list from this page on: iterating fetches the next pages.

    Args:
        fetch: returns the items of a page, by its number from 1.
        index: number of this page.
        max_size: items of a full page.
        count: counts the items of the whole list; asked only when somebody wants to know, as it may take longer than
            a page.
        describe: returns what a notebook shows of items, a dictionary each.

    Raises:
        InvalidValue: there can be no such page.
    """

    def __init__(
        self,
        fetch: Callable[[int], Sequence[T]],
        index: int,
        max_size: int,
        count: Callable[[], int],
        describe: Callable[[Sequence[T]], Sequence[Mapping[str, object]]],
    ) -> None:
        if not isinstance(index, int) or not isinstance(max_size, int):
            raise InvalidValue(f"page {index!r} of {max_size!r} items: both must be whole numbers")
        self._fetch = fetch
        self._pages: dict[int, Sequence[T]] = {index: fetch(index)}
        self.index = index
        self.max_size = max_size
        self._count = count
        self._describe = describe

    @cached_property
    def total(self) -> int:
        """Items of the whole list."""
        return self._count()

    @property
    def items(self) -> Sequence[T]:
        """The items of this page alone."""
        return self._pages[self.index]

    @property
    def size(self) -> int:
        """How many items this page has."""
        return len(self.items)

    @property
    def total_pages(self) -> int:
        """How many pages there are."""
        return -(-self.total // self.max_size)

    def __len__(self) -> int:
        """How many items there are from this page on."""
        return max(self.total - (self.index - 1) * self.max_size, self.size)

    def __iter__(self) -> Iterator[T]:
        index = self.index
        while items := self._page(index, keep=False):
            yield from items
            if len(items) < self.max_size:
                return
            index += 1

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...
    def __getitem__(self, at: int | slice) -> T | Sequence[T]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        position = at + len(self) if at < 0 else at
        if not 0 <= position < len(self):
            raise IndexError(f"item {at} of a list with {len(self)}")
        pages, offset = divmod(position, self.max_size)
        return self._page(self.index + pages, keep=True)[offset]

    def __repr__(self) -> str:
        shown = "".join(f"\n  {item!r}" for item in self.items)
        return f"Page {self.index} of {self.total_pages}, {self.total} in all:{shown}"

    def _repr_html_(self) -> str:
        from artfs.text.html import table

        return table(
            self._describe(self.items), caption=f"Page {self.index} of {self.total_pages}, {self.total} in all"
        )

    def _page(self, index: int, *, keep: bool) -> Sequence[T]:
        found = self._pages.get(index)
        if found is None:
            found = self._fetch(index)
            if keep:
                self._pages[index] = found
        return found

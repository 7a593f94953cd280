"""Objects that ask a database, or change, when they are read: what is recorded of them costs the program nothing."""

from __future__ import annotations

import shelve
from dataclasses import dataclass, field

import cachetools
import django
import pytest
from django.conf import settings
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from sqlalchemy import ForeignKey, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, Session, mapped_column, relationship

from agentops_otel.values import sanitize, to_text

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


class Customer(models.Model):
    name = models.TextField()

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return self.name


class Purchase(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return f"of {self.customer}"  # asks the database


@pytest.fixture(scope="module")
def shop():
    with connection.schema_editor() as editor:
        editor.create_model(Customer)
        editor.create_model(Purchase)
    Purchase.objects.create(customer=Customer.objects.create(name="Ada"))
    yield
    connection.close()


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (Purchase.objects.all, "<QuerySet>"),
        (lambda: Purchase.objects.values_list("id"), "<QuerySet>"),
        (Purchase.objects.select_for_update, "<QuerySet>"),
        (lambda: Purchase.objects.raw("SELECT * FROM shop_purchase"), "<RawQuerySet>"),
        (lambda: Purchase.objects, "<Manager>"),
        (Purchase.objects.get, "<Purchase 1>"),
        (Purchase, "<Purchase>"),
        (lambda: {"of": [Purchase.objects.all()]}, '{"of":["<QuerySet>"]}'),
        (lambda: {Purchase.objects.get(): 1}, '{"<Purchase 1>":1}'),
        (lambda: {Purchase.objects.get()}, '["<Purchase 1>"]'),
    ],
)
@pytest.mark.usefixtures("shop")
def test_django_is_not_asked(make, shown):
    """Neither a query set nor a model whose text follows a foreign key runs a query."""
    value = make()
    with CaptureQueriesContext(connection) as queries:
        found = to_text(value)
        sanitize(value)
    assert found.strip('"') == shown
    assert list(queries) == []


class Base(MappedAsDataclass, DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "o"
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    name: Mapped[str]
    note: Mapped[str] = mapped_column(default="none", deferred=True)
    lines: Mapped[list[Line]] = relationship(default_factory=list, repr=False)


class Line(Base):
    __tablename__ = "l"
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    order_id: Mapped[int] = mapped_column(ForeignKey("o.id"), init=False)


def test_sqlalchemy_is_not_asked():
    """What is not loaded is not read, and what waits is not written."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Order("teapot"))
        session.commit()
    asked = []
    with Session(engine) as session:
        order = session.query(Order).one()
        session.add(Order(name=None))  # is not valid before it has a name
        event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        assert to_text(order) == '{"id":1,"name":"teapot"}'
        session.expire(order)
        assert to_text(order) == "{}"
        session.rollback()
    assert asked == []


def test_a_dataclass_is_what_it_holds():
    """Fields of the object, of its slots and of its class are read; one that a descriptor makes is not."""
    made = []

    class Made:
        def __get__(self, instance, owner):
            made.append(instance)
            return "made"

        def __set__(self, instance, value):
            pass

    @dataclass
    class Plain:
        a: int
        b: int = field(init=False, default=2)
        c: str = Made()

    @dataclass(slots=True)
    class Slots:
        a: int
        b: int = field(init=False)

    plain = Plain(1)
    made.clear()
    assert to_text(plain) == '{"a":1,"b":2}'
    assert made == []
    assert to_text(Slots(1)) == '{"a":1,"b":null}'


def test_a_cache_keeps_its_order(tmp_path):
    """A mapping that reading changes is not read."""
    cache = cachetools.LRUCache(3)
    cache.update(a=1, b=2, c=3)
    assert cache["a"] == 1
    assert to_text(cache).strip('"') == "<LRUCache of 3 items>"
    cache["d"] = 4
    assert set(cache) == {"a", "c", "d"}
    with shelve.open(str(tmp_path / "shelf"), writeback=True) as shelf:
        shelf["a"] = [1]
        shelf.sync()
        assert "1 item" in to_text(shelf)
        assert shelf.cache == {}


def test_a_dict_that_counts_its_readers_is_read_as_a_dict():
    """The items of a subclass are those that it holds."""

    class Counted(dict):
        def items(self):
            raise AssertionError("nobody calls it")

    assert to_text(Counted(a=1)) == '{"a":1}'

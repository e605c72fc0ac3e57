from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.addresses import address_key, district
from customers.districts import DISTRICTS
from customers.models import Customer
from orders.tests.factories import make_customer

ALL = [(county, name) for county, names in DISTRICTS.items() for name in names]


@pytest.mark.parametrize(
    ("address", "area"),
    [
        ("台北市大安區信義路四段1號", "大安區"),
        ("106台北市大安區信義路四段1號", "大安區"),
        ("新北市新店區北新路三段231號8樓", "新店區"),
        ("桃園市中壢區中正路1號", "中壢區"),
        ("南投縣竹山鎮集山路1號", "竹山鎮"),
        ("彰化縣彰化市中正路1號", "彰化市"),
        ("信義路四段1號", ""),
        ("", ""),
        ("新竹市中正路1號", ""),
        ("台北市中山市場", ""),
        ("台灣大道二段1號", ""),
        ("新竹市東區光復路一段1號", "東區"),
        ("嘉義市東區中山路1號", "東區"),
        ("彰化市中正路1號", "彰化市"),
        ("板橋區文化路一段1號", "板橋區"),
        ("台北市106大安區信義路四段1號", "大安區"),
        ("台灣省台北縣板橋市文化路1號", "板橋區"),
        ("桃園縣平鎮市中豐路1號", "平鎮區"),
        ("桃園縣桃園市中正路1號", "桃園區"),
        ("台南縣新市鄉中正路1號", "新市區"),
        ("高雄縣三民鄉民權村1號", "那瑪夏區"),
        ("台南市西區民生路1號", "中西區"),
        ("苗栗縣頭份鎮中正路1號", "頭份市"),
        ("福建省金門縣金城鎮民生路1號", "金城鎮"),
        ("臺東縣臺東市中華路1號", "台東市"),
        ("台北市板橋區文化路1號", "板橋區"),
        ("新北市新庄區中正路1號", "新莊區"),
        ("屏東縣恒春鎮中正路1號", "恆春鎮"),
        ("苗栗縣南莊鄉中正路1號", "南庄鄉"),
    ],
)
def test_district_is_found_at_start_of_address(address: str, area: str) -> None:
    assert district(address) == area


def test_number_of_districts_matches_interior_ministry() -> None:
    assert {county: len(names) for county, names in DISTRICTS.items()} == {
        "台北市": 12, "新北市": 29, "桃園市": 13, "台中市": 29, "台南市": 37, "高雄市": 38, "基隆市": 7, "新竹市": 3,
        "嘉義市": 2, "新竹縣": 13, "苗栗縣": 18, "彰化縣": 26, "南投縣": 13, "雲林縣": 20, "嘉義縣": 18, "屏東縣": 33,
        "宜蘭縣": 12, "花蓮縣": 13, "台東縣": 16, "澎湖縣": 6, "金門縣": 6, "連江縣": 4,
    }  # fmt: skip
    assert len(set(ALL)) == 368


WRITTEN = [
    "{county}{name}{street}", "106{county}{name}{street}", "10650 {county}{name}{street}",
    "106-501{county}{name}{street}",
    "(242){county}{name}{street}", "（242）{county}{name}{street}", "[24257] {county} {name} {street}",
    "106 {county}{name}{street}", "１０６{county}{name}{street}", "台灣省{county}{name}{street}",
    "臺灣{county}{name}{street}", " {county} {name} {street}", "{county}　{name}　{street}",
    "{county}, {name}, {street}",
    "{short}{name}{street}", "{short} {name}{street}", "{county}106{name}{street}", "{county}(10650){name}{street}",
    "\u200b{county}\u200e{name}{street}", "{county}{name}東里5鄰{street}", "{name}{street}",
]  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN)
def test_every_district_is_found_in_every_spelling(written: str) -> None:
    wrong = []
    for county, name in ALL:
        for street in ("中正路1號", "市場路2號", "鎮南街3號", "東區路4號", "1鄰5號"):
            address = written.format(county=county, short=county[:-1], name=name, street=street)
            wrong += [text for text in (address, address.replace("台", "臺")) if district(text) != name]
    assert wrong == []


@pytest.mark.django_db
@pytest.mark.parametrize(("county", "name"), [("桃園市", "平鎮區"), ("台南市", "左鎮區"), ("台南市", "新市區")])
def test_saving_customer_sets_full_district_name(county: str, name: str) -> None:
    assert Customer.objects.create(name="王", address=f"{county}{name}中正路1號").area == name


@pytest.mark.parametrize(
    "written",
    [
        "106 台北市大安區信義路2段5號之1 五樓", "台北市大安區信義路二段5-1號5樓", "臺北市大安區信義路２段５之１號５Ｆ",
        "台北市 大安區 信義路 二段 5 之 1 號 5 樓", "台北市大安區信義路貳段五之一號五樓", "台北大安區信義路2段5–1號5f",
        "台北市大安區龍安里信義路二段5-1號5樓", "台北市大安區龍安里5鄰信義路二段5-1號5樓",
        "台北市大安區龍安里第五鄰信義路二段5-1號5樓", "台灣省台北市大安區信義路二段05號之01，5樓",
        "(10650)台北市大安區信義路二段5號-1 5FL", "台北市106大安區信義路二段5-1號5樓",
        "台北市大安區信義路二段5號之1五樓", "\u200e台北市大安區信義路二段5‑1號5樓\u200b",
        "台北巿大安區信義路二段5-1號5樓", "台北市大安區106信義路二段5-1號5樓", "台北市大安區（106）信義路二段5-1號5樓",
        "台北市大安區信義路二段5-1號(5樓)",
    ],
)  # fmt: skip
def test_spellings_of_one_address_compare_equal(written: str) -> None:
    assert address_key(written) == address_key("台北市大安區信義路二段5-1號5樓")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("台北市 大安區信義路四段1號 8F", "台北市大安區信義路四段1號8樓"),
        ("台北市大安區信義路ㄧ段1號", "台北市大安區信義路一段1號"),
        ("台北縣板橋市文化路一段1號", "新北市板橋區文化路1段1號"),
        ("板橋區文化路一段1號", "新北市板橋區文化路1段1號"),
        ("106台北市信義路二段5號", "台北市信義路2段5號"),
        ("高雄市三民區十全一路100號", "高雄市三民區十全1路100號"),
        ("高雄市三民區十全一路一百零五號十二樓之三", "高雄市三民區十全一路105號12樓-3"),
        ("台中市西區五權路二十一巷3弄4號", "台中市西區五權路21巷三弄4號"),
        ("台中市西區五權路1號地下一樓", "台中市西區五權路1號B1F"),
        ("台中市西區五權路1號地下一樓", "台中市西區五權路1號B1"),
        ("台中市西區五權路1號叁樓", "台中市西區五權路1號3樓"),
    ],
)
def test_two_spellings_of_an_address_compare_equal(one: str, other: str) -> None:
    assert address_key(one) == address_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("信義路1號8樓", "信義路1號7樓"),
        ("106大安區中山路1號", "439大安區中山路1號"),
        ("500彰化縣中山路1號", "510彰化縣中山路1號"),
        ("新竹市東區中山路1號", "嘉義市東區中山路1號"),
        ("花蓮縣秀林鄉富世村5鄰12號", "花蓮縣秀林鄉崇德村5鄰12號"),
        ("花蓮縣秀林鄉富世村5鄰12號", "花蓮縣秀林鄉富世村6鄰12號"),
        ("台中市大里區三里一街5號", "台中市大里區東里一街5號"),
        ("台中市大里區中里街5號", "台中市大里區東里街5號"),
        ("新北市八里區八里大道5號", "新北市八里區大道5號"),
        ("南投縣南投市中興新村中正路5號", "南投縣南投市中正路5號"),
        ("台北市大安區信義路二段5號之1 5樓", "台北市大安區信義路二段5號之15"),
        ("台北市大安區信義路二段5號1樓", "台北市大安區信義路二段5-1號"),
        ("台北市大安區信義路二段5號5樓", "台北市大安區信義路二段55號"),
        ("信義路百二號", "信義路102號"),
    ],
)
def test_other_address_compares_unequal(one: str, other: str) -> None:
    assert address_key(one) != address_key(other)


@dataclass(frozen=True)
class AddressParts:
    """The parts of an address, independent of its spelling."""

    county: str
    name: str
    street: str
    section: int
    lane: int
    alley: int
    number: int
    suffix: int
    floor: int
    room: int

    def draw_spelling(self, chance: random.Random) -> str:
        """One of the many spellings of this address, chosen by chance."""
        choose = chance.choice
        parts = [
            choose(["", "106", "106 ", "(10650)"]),
            choose([self.county, self.county.replace("台", "臺"), self.county[:-1]]), choose(["", " "]), self.name,
            choose(["", "福德里5鄰", "12鄰", "大埔里第三鄰", "龍安里" if self.street in STREETS_AFTER_VILLAGE else ""]),
            self._street(chance),
        ]  # fmt: skip
        for value, unit in ((self.section, "段"), (self.lane, "巷"), (self.alley, "弄")):
            if value:
                parts += [_numeral(value, chance), unit, choose(["", " "])]
        parts += [self._number(chance), choose(["", " ", "，"]), self._floor(chance)]
        return "".join(parts)

    def _street(self, chance: random.Random) -> str:
        name, ordinal = self.street[:-2], self.street[-2]
        return self.street if ordinal not in "一二三" else f"{name}{_numeral('一二三'.index(ordinal) + 1, chance)}路"

    def _number(self, chance: random.Random) -> str:
        number, suffix = _numeral(self.number, chance), _numeral(self.suffix, chance)
        if not self.suffix:
            return f"{number}號"
        ways = [f"{number}號之{suffix} ", f"{number}-{suffix}號", f"{number}之{suffix}號", f"{number} 之 {suffix} 號"]
        return chance.choice(ways)

    def _floor(self, chance: random.Random) -> str:
        if not self.floor:
            return ""
        room = chance.choice(["之", "-"]) + _numeral(self.room, chance) if self.room else ""
        unit = chance.choice("樓FfＦ")
        return f"{_numeral(self.floor, chance)}{unit}{room}"


def _numeral(value: int, chance: random.Random) -> str:
    """One of the spellings `12`, `１２` and `十二`, chosen by chance."""
    plain = str(value)
    wide = plain.translate({ord("0") + digit: ord("０") + digit for digit in range(10)})
    digits = "零一二三四五六七八九"
    if value < 100:
        tens, ones = divmod(value, 10)
        numeral = ("" if tens == 1 else digits[tens]) + "十" if tens else ""
        numeral += digits[ones] if ones else ""
    else:
        numeral = "".join(digits[int(digit)] for digit in plain)
    return chance.choice([plain, wide, numeral or digits[0]])


# Street names that can follow a 里 without 鄰.
STREETS_AFTER_VILLAGE = [
    "三民路", "五權路", "八德路", "十全一路", "十全二路", "中正一路", "中正路", "二十張路", "市民大道", "中山北路",
    "百福街",
]  # fmt: skip
# Street names with numerals, with 里, and with characters that are also units.
STREETS = [
    *STREETS_AFTER_VILLAGE, "民路", "一心一路", "里仁街", "中里街", "東里街", "三里一路", "東里一路", "八里大道",
    "七里路", "德里二路",
]  # fmt: skip
ADDRESSES = st.builds(
    AddressParts, st.just("台中市"), st.sampled_from(["東區", "東勢區", "大里區", "北屯區"]), st.sampled_from(STREETS),
    st.sampled_from([0, 1, 2]), st.sampled_from([0, 1, 12, 106]), st.sampled_from([0, 5]),
    st.sampled_from([1, 2, 5, 15, 51, 105]), st.sampled_from([0, 1, 5, 15]), st.sampled_from([0, 1, 5, 11, 12]),
    st.sampled_from([0, 1, 2]),
)  # fmt: skip
SEEDS = st.integers(0, 2**32).map(random.Random)


@given(ADDRESSES, SEEDS)
def test_generated_spellings_compare_equal(address: AddressParts, chance: random.Random) -> None:
    ways = {address_key(address.draw_spelling(chance)) for _ in range(20)}
    assert len(ways) == 1


def test_generated_addresses_compare_unequal() -> None:
    chance = random.Random(20261130)
    choose = chance.choice
    found: dict[str, AddressParts] = {}
    for _ in range(10_000):
        floor = choose([0, 1, 5, 15])
        address = AddressParts(
            "台中市", choose(["東區", "大里區"]), choose(STREETS), section=choose([0, 1, 2]), lane=choose([0, 1, 12]),
            alley=choose([0, 5]), number=choose([1, 5, 15, 51]), suffix=choose([0, 1, 5, 15]), floor=floor,
            room=choose([0, 1, 5]) if floor else 0,
        )  # fmt: skip
        written = address.draw_spelling(chance)
        assert found.setdefault(address_key(written), address) == address, written


@given(st.text(max_size=60))
def test_any_text_is_accepted(text: str) -> None:
    assert district(text) in {"", *(name for _county, name in ALL)}
    address_key(text)


@pytest.mark.django_db
@pytest.mark.parametrize("stored", ["台北市信義路二段5-1號", "臺北市信義路２段５之１號", "台北市信義路2段5之1號"])
@pytest.mark.parametrize("typed", ["台北市信義路二段5之1", "臺北市信義路2段5-1", "信義路２段", "信義路二段５－１號"])
def test_search_finds_address_in_every_section_spelling(stored: str, typed: str) -> None:
    customer = make_customer(address=stored)
    make_customer(name="別人", phone="0987654321", address="台北市信義路三段5-1號")
    assert [*Customer.objects.search(typed)] == [customer]

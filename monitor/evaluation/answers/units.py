"""Units of numbers in answers, and their conversion."""

from __future__ import annotations

from typing import NamedTuple


class Unit(NamedTuple):
    """A unit: a number times ``factor`` plus ``offset`` is in the first unit of its dimension."""

    dimension: str
    factor: float = 1.0
    offset: float = 0.0


_TABLE = """
length: 1 m metre meter; 1e-9 nm nanometre nanometer; 1e-6 µm μm micrometre micrometer micron; 1e-3 mm millimetre
    millimeter; 0.01 cm centimetre centimeter; 1e3 km kilometre kilometer; 0.0254 inch inches; 0.3048 ft foot feet;
    0.9144 yd yard; 1609.344 mi mile; 1852 nautical_mile; 9.4607304725808e15 light_year
area: 1 m² m2 sqm square_metre square_meter; 1e-6 mm² mm2; 1e-4 cm² cm2; 1e6 km² km2 square_kilometre square_kilometer;
    1e4 ha hectare; 4046.8564224 acre; 0.09290304 ft² ft2 sq_ft square_foot square_feet;
    2589988.110336 sq_mi square_mile
volume: 1 l L litre liter; 1e-3 ml mL millilitre milliliter cm³ cm3; 0.01 cl centilitre centiliter;
    1e3 m³ m3 cubic_metre cubic_meter; 3.785411784 gal gallon; 0.473176473 pint; 28.316846592 cubic_foot cubic_feet
mass: 1 kg kgs kilo kilogram; 1e-9 µg μg microgram; 1e-6 mg milligram; 1e-3 g gram gramme; 1e3 t tonne metric_ton;
    0.45359237 lb lbs; 0.028349523125 oz ounce; 6.35029318 stone
time: 1 s sec second; 1e-9 ns nanosecond; 1e-6 µs μs microsecond; 1e-3 ms millisecond; 60 min minute;
    3600 h hr hrs hour; 86400 day; 604800 week
months: 1 month; 12 yr yrs year; 120 decade; 1200 century centuries
speed: 3.6 m/s metres_per_second meters_per_second; 3600 km/s; 1.852 kn knot; 1 km/h kph kmh kilometres_per_hour
    kilometers_per_hour; 1.609344 mph miles_per_hour
energy: 1 J joule; 1e3 kJ kilojoule; 1e6 MJ megajoule; 4.184 cal calorie; 4184 kcal kilocalorie; 3600 Wh watt_hour;
    3.6e6 kWh kilowatt_hour; 3.6e9 MWh megawatt_hour; 3.6e12 GWh gigawatt_hour; 3.6e15 TWh terawatt_hour
power: 1 W watt; 1e-3 mW milliwatt; 1e3 kW kilowatt; 1e6 MW megawatt; 1e9 GW gigawatt; 745.6998715822702 hp horsepower
frequency: 1 Hz hertz; 1e3 kHz kilohertz; 1e6 MHz megahertz; 1e9 GHz gigahertz
voltage: 1 V volt; 1e-3 mV millivolt; 1e3 kV kilovolt
current: 1 amp ampere; 1e-3 mA milliampere
force: 1 N newton; 1e3 kN kilonewton
pressure: 1 Pa pascal; 100 hPa mbar millibar; 1e3 kPa kilopascal; 1e6 MPa megapascal; 1e5 bar; 101325 atm;
    6894.757293168 psi
data: 1 byte; 1e3 kB KB kilobyte; 1e6 MB megabyte; 1e9 GB gigabyte; 1e12 TB terabyte; 1e15 PB petabyte;
    1024 KiB kibibyte; 1048576 MiB mebibyte; 1073741824 GiB gibibyte; 1099511627776 TiB tebibyte
data rate: 1 bit/s; 1e3 kbps kbit/s; 1e6 Mbps Mbit/s; 1e9 Gbps Gbit/s
share: 1 % percent per_cent pct percentage_point; 100 fraction; 0.1 ‰ per_mille; 0.01 basis_point
angle: 1 ° degree
dollars: 1 $ USD dollar US_dollar
euros: 1 € EUR euro
sterling: 1 £ GBP
yen: 1 ¥ JPY yen
yuan: 1 CNY RMB yuan renminbi
francs: 1 CHF franc Swiss_franc
rupees: 1 ₹ INR rupee
before Christ: 1 BC BCE
"""
"""Dimension: factor and names of each unit. Ambiguous names are left out: pound, ton, “in”."""

_TEMPERATURES = {
    "°C C celsius degree_celsius degrees_celsius": Unit("temperature"),
    "°F F fahrenheit degree_fahrenheit degrees_fahrenheit": Unit("temperature", 5 / 9, -160 / 9),
    "K kelvin": Unit("temperature", 1, -273.15),
}

_SHORTEST_WITH_PLURAL = 3
"""Letters. A shorter name is a symbol without a plural."""


def unit_called(name: str) -> Unit | None:
    """The unit with this name or symbol, in one or several words; None if it is unknown.

    The case of a symbol counts, unless only one of the two cases is a unit.

    Examples
    --------
    >>> unit_called("MW"), unit_called("mW"), unit_called("Square Miles") == unit_called("sq mi")
    (Unit(dimension='power', factor=1000000.0, offset=0.0), Unit(dimension='power', factor=0.001, offset=0.0), True)
    """
    unit = _UNITS.get(name)
    return unit if unit is not None or len(name) == 1 else _UNITS.get(name.lower())


def _read_table() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for line in _TABLE.replace("\n    ", " ").strip().splitlines():
        dimension, _, members = line.partition(": ")
        for member in members.split(";"):
            factor, *spellings = member.split()
            units |= _by_name(spellings, Unit(dimension, float(factor)))
    for names, unit in _TEMPERATURES.items():
        units |= _by_name(names.split(), unit)
    return units


def _by_name(names: list[str], unit: Unit) -> dict[str, Unit]:
    plurals = [f"{name}s" for name in names if len(name) >= _SHORTEST_WITH_PLURAL and name.isascii()]
    spelled = {name.replace("_", " "): unit for name in (*names, *plurals)}
    return spelled | {name.lower(): unit for name in spelled if len(name) > _SHORTEST_WITH_PLURAL}


_UNITS = _read_table()
FRACTION = _UNITS["fraction"]
"""The unit of a fraction of a whole, such as a half."""

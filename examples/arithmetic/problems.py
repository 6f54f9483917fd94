"""Multiplications written out step by step, as a child does them on paper.

Knows nothing of `twin`: plain questions and answers come out.

    47 × 36 = ?

    47 = 40 + 7
    36 = 30 + 6
    40 × 30 = 1200
    40 × 6 = 240
    7 × 30 = 210
    7 × 6 = 42
    1200 + 240: 0+0=0 0+4=4 2+2=4 1 = 1440
    1440 + 210: 0+0=0 4+1=5 4+2=6 1 = 1650
    1650 + 42: 0+2=2 5+4=9 6 1 = 1692
    47 × 36 = 1692
"""

from __future__ import annotations

import random


def question(a: int, b: int) -> str:
    """What is asked."""
    return f"{a} × {b} = ?"


def answer(a: int, b: int) -> str:
    """The whole way to the product, a step a line; the last line ends with the product."""
    lines = [f"{n} = {' + '.join(map(str, places(n)))}" for n in (a, b) if len(places(n)) > 1]
    products = [(left, right) for left in places(a) for right in places(b)]
    lines += [f"{left} × {right} = {left * right}" for left, right in products]
    total = products[0][0] * products[0][1]
    for left, right in products[1:]:
        lines.append(f"{total} + {left * right}: {column_addition(total, left * right)} = {total + left * right}")
        total += left * right
    if len(products) > 1:
        lines.append(f"{a} × {b} = {total}")
    return "\n".join(lines)


def places(number: int) -> list[int]:
    """A number's places from the left, zeros left out: 407 is 400 and 7."""
    digits = str(number)
    return [int(digit) * 10 ** (len(digits) - place - 1) for place, digit in enumerate(digits) if digit != "0"]


def column_addition(a: int, b: int) -> str:
    """The columns of a + b from the right: "7+8=15 4+3+1=8"; a digit that is only carried down stands alone."""
    above, below = str(a)[::-1], str(b)[::-1]
    steps = []
    carry = 0
    for column in range(max(len(above), len(below))):
        digits = [line[column] for line in (above, below) if column < len(line)]
        summands = [*digits, *(["1"] if carry else [])]
        value = sum(map(int, summands))
        steps.append(f"{'+'.join(summands)}={value}" if len(summands) > 1 else digits[0])
        carry = value // 10
    return " ".join(steps)


def product_in(text: str) -> int | None:
    """The number after the last "=" of an answer; None when there is none."""
    tail = text.rsplit("=", 1)[-1].strip() if "=" in text else ""
    return int(tail) if tail.isascii() and tail.isdigit() else None


def pairs(first_digits: int, second_digits: int, seed: int = 0) -> list[tuple[int, int]]:
    """Every pair of factors of so many digits, shuffled; factors 0 and 1 are no problem and left out."""
    found = [(a, b) for a in _of(first_digits) for b in _of(second_digits)]
    random.Random(seed).shuffle(found)
    return found


def _of(digits: int) -> range:
    return range(max(2, 10 ** (digits - 1)), 10**digits)

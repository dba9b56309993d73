"""Numbers below a million in words, English and German."""

from dlcourse.errors import UserError

LIMIT = 1_000_000

_ENGLISH = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_ENGLISH_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_GERMAN = [
    "null",
    "ein",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
]
_GERMAN_TENS = [
    "zwanzig",
    "dreißig",
    "vierzig",
    "fünfzig",
    "sechzig",
    "siebzig",
    "achtzig",
    "neunzig",
]


def english(number: int) -> str:
    """The number in British English: 100421 is `one hundred thousand four hundred and twenty-one`.

    The rest after hundreds or thousands follows an `and` if it is below a hundred.

    Raises:
        UserError: it is negative or not below a million.
    """
    _check(number)
    thousands, rest = divmod(number, 1000)
    if not thousands:
        return _english_below_1000(rest)
    words = f"{_english_below_1000(thousands)} thousand"
    joint = " and " if rest < 100 else " "
    return words + (joint + _english_below_1000(rest) if rest else "")


def german(number: int) -> str:
    """The number as one German word: 100421 is `einhunderttausendvierhunderteinundzwanzig`.

    Units stand before tens. One is `eins` at the end of the word and `ein` before anything else.

    Raises:
        UserError: it is negative or not below a million.
    """
    _check(number)
    thousands, rest = divmod(number, 1000)
    words = f"{_german_below_1000(thousands)}tausend" if thousands else ""
    words += _german_below_1000(rest) if rest or not thousands else ""
    return words + "s" if rest % 100 == 1 else words


def _english_below_1000(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [f"{_ENGLISH[hundreds]} hundred"] if hundreds else []
    if rest >= 20:
        tens, units = divmod(rest, 10)
        words.append(_ENGLISH_TENS[tens - 2] + (f"-{_ENGLISH[units]}" if units else ""))
    elif rest or not hundreds:
        words.append(_ENGLISH[rest])
    return " and ".join(words)


def _german_below_1000(number: int) -> str:
    """With `ein` for a final one."""
    hundreds, rest = divmod(number, 100)
    words = f"{_GERMAN[hundreds]}hundert" if hundreds else ""
    if rest >= 20:
        tens, units = divmod(rest, 10)
        return words + (f"{_GERMAN[units]}und" if units else "") + _GERMAN_TENS[tens - 2]
    return words + (_GERMAN[rest] if rest or not hundreds else "")


def _check(number: int) -> None:
    if not 0 <= number < LIMIT:
        raise UserError(f"{number} has no words here: numbers are 0 to {LIMIT - 1:,}.")


LANGUAGES = {"en": english, "de": german}

"""The closed lists of what a product of the demo shop can be; every order here is part of the data.

Category, colour and pattern show in a picture and, for a share of the items, in the text;
material, brand and style are only ever told by the text; the background only shows.
"""

CATEGORIES: tuple[str, ...] = (
    "backpack",
    "book",
    "boot",
    "bottle",
    "bowl",
    "candle",
    "chair",
    "clock",
    "dress",
    "guitar",
    "hat",
    "lamp",
    "mug",
    "pillow",
    "shirt",
    "sock",
    "table",
    "teapot",
    "umbrella",
    "vase",
)
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (208, 36, 44),
    "orange": (242, 128, 22),
    "yellow": (246, 208, 40),
    "green": (48, 150, 62),
    "turquoise": (40, 190, 186),
    "blue": (38, 84, 200),
    "purple": (122, 52, 172),
    "pink": (242, 126, 178),
    "brown": (120, 74, 38),
    "black": (38, 38, 42),
}
PATTERNS: tuple[str, ...] = (
    "plain",
    "striped",
    "dotted",
    "checked",
    "zigzag",
    "starry",
    "floral",
)
BACKGROUNDS: tuple[str, ...] = ("paper", "cream", "mist", "sky", "blush", "sunset", "studio")
MATERIALS: tuple[str, ...] = ("ceramic", "cotton", "leather", "metal", "recycled", "wooden")
STYLES: tuple[str, ...] = ("classic", "minimalist", "modern", "playful", "rustic", "vintage")
BRANDS: tuple[str, ...] = (
    "Alderby",
    "Brightwell",
    "Corvane",
    "Dunmore",
    "Elmhaus",
    "Fjordal",
    "Grovely",
    "Hartwick",
    "Isenbrook",
    "Juniper & Co.",
)

# What shoppers buy after a category when they do not stay in it.
GOES_WITH: dict[str, tuple[str, str]] = {
    "backpack": ("bottle", "umbrella"),
    "book": ("lamp", "guitar"),
    "boot": ("sock", "umbrella"),
    "bottle": ("backpack", "bowl"),
    "bowl": ("mug", "table"),
    "candle": ("vase", "clock"),
    "chair": ("pillow", "table"),
    "clock": ("lamp", "book"),
    "dress": ("hat", "boot"),
    "guitar": ("chair", "hat"),
    "hat": ("shirt", "umbrella"),
    "lamp": ("chair", "clock"),
    "mug": ("teapot", "bowl"),
    "pillow": ("candle", "lamp"),
    "shirt": ("dress", "sock"),
    "sock": ("boot", "shirt"),
    "table": ("chair", "vase"),
    "teapot": ("mug", "candle"),
    "umbrella": ("backpack", "hat"),
    "vase": ("candle", "table"),
}

"""What scoring must know about languages; each fact has one table."""

# Written without spaces between words: the character is the unit of error.
UNSEGMENTED = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km"})

CHINESE = frozenset({"zh", "yue"})

# Combining marks are letters here (vowel signs, tones, voicing), so that folding
# diacritics would turn words into other words.
LETTER_MARKS = frozenset(
    {"as", "bn", "bo", "gu", "hi", "ja", "km", "kn", "lo", "ml", "mr", "my"}
    | {"ne", "pa", "sa", "sd", "si", "ta", "te", "th", "ur"}
)

# The capital of i is İ, and the capital of ı is I.
DOTLESS_I = frozenset({"az", "tr"})

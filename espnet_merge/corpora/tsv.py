"""Values separated by tabs, names in the first line; quotes are part of the text.

So are Common Voice's tables.
"""

from functools import partial

from espnet_merge.corpora.csv import read
from espnet_merge.corpora.formats import FIELDS, Format, columns

FORMAT = Format(partial(read, quoted=False), columns(*FIELDS))

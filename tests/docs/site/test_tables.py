import doctest

from docs.site import tables
from docs.site.tables import SENTENCE, mark_sentences


def test_a_sentence_is_marked_and_stands_on_the_left():
    code = f"<code>{'a ' * SENTENCE}</code>"
    html = f'<tr><td>a word</td><td style="text-align: right;">{code}</td></tr>'
    marked = f'<tr><td>a word</td><td class="sentence">{code}</td></tr>'
    assert mark_sentences(html) == marked


def test_numbers_and_links_stay():
    link = f'<td style="text-align: right;"><a href="{"a" * SENTENCE}">1</a></td>'
    html = f"<th>{'a ' * SENTENCE}</th>{link}<td>16.1 ± 17.3</td>"
    assert mark_sentences(html) == html


def test_example_of_the_docstring():
    assert doctest.testmod(tables) == (0, 1)

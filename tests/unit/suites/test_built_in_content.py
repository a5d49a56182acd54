"""The built-in suites keep to their guidelines (probes/GUIDELINES.md), as far as a program can tell."""

import json
import re
from collections import Counter, defaultdict

import pytest

from monitor.model.suites import Suite
from monitor.suites.linting import Severity, lint
from monitor.suites.locating import built_in_probes
from monitor.suites.reading import read_corpus, read_suite

BROAD = built_in_probes() / "broad"
STYLES = {"question", "paraphrase", "keyword", "title", "identifier", "quoted", "long", "follow-up"}


@pytest.fixture(scope="module")
def broad() -> Suite:
    """The broad suite, read once."""
    return read_suite(BROAD)


def letters(text: str) -> str:
    """The letters and digits of a text, lower case, with one space between words."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


@pytest.mark.parametrize("name", ["broad", "compositional", "languages"])
def test_lint_finds_nothing_in_a_built_in_suite(name):
    """Errors and warnings in shipped content would be a bad example, and would hide a new one."""
    folder = built_in_probes() / name
    findings = list(lint(read_suite(folder), lambda: read_corpus(folder)))
    assert [each for each in findings if each.severity is not Severity.NOTE] == []


def test_every_domain_has_every_style(broad):
    """At least 150 queries in each domain, 40 of each style over all, and 12 of each style in each domain."""
    domains = Counter(query.stratum for query in broad.queries)
    styles = Counter(query.style for query in broad.queries)
    both = Counter((query.stratum, query.style) for query in broad.queries)
    assert set(styles) == STYLES
    assert min(domains.values()) >= 150
    assert min(styles.values()) >= 40
    assert min(both[domain, style] for domain in domains for style in STYLES) >= 12


def test_titles_and_quotations_are_exact(broad):
    """The title of a title query and the quotation of a quoted one are in its most relevant document."""
    documents = {each.doc_id: each for each in read_corpus(BROAD)}
    for query in broad.queries:
        best = documents[max(query.grades, key=query.grades.__getitem__)]
        if query.style == "title":
            assert letters(query.text) == letters(best.title), query
        if query.style == "quoted":
            quotations = re.findall(r'"([^"]+)"', query.text)
            texts = [letters(documents[doc_id].full_text) for doc_id in query.grades]
            assert quotations, query
            assert any(letters(each) in text for each in quotations for text in texts), query


def test_a_complete_answer_has_the_parts(broad):
    """Answers in several parts are also given as one text, which has every part."""
    in_parts = [query for query in broad.queries if query.answer_parts]
    assert len(in_parts) >= 150
    for query in in_parts:
        assert all(letters(part[0]) in letters(query.answers[0]) for part in query.answer_parts), query


def test_structure_has_pairs_enough_for_each_phenomenon():
    """The phenomena that were small have 150 independent pairs, both queries of each pair mirrored."""
    suite = read_suite(built_in_probes() / "compositional")
    clusters = defaultdict(set)
    for query in suite.queries:
        clusters[query.stratum].add(query.cluster)
    for phenomenon in ("exclusion", "quantifier-modality", "comparative", "conjunction"):
        assert len(clusters[phenomenon]) >= 150


def test_languages_are_parallel():
    """Each language has the same subjects, at least 100 queries and three phenomena."""
    rows = [
        json.loads(line)
        for line in (built_in_probes() / "languages" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    subjects: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        subjects[row["metadata"]["stratum"]][re.sub(r"-(de|fr|es|zh)$", "", row["_id"])] += 1
    assert set(subjects) == {"german", "french", "spanish", "chinese"}
    assert all(each == subjects["german"] for each in subjects.values())
    assert all(sum(each.values()) >= 100 for each in subjects.values())
    assert len({row["metadata"].get("phenomenon") for row in rows} - {None}) == 3

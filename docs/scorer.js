// Search results: first the public names and exact names of the reference, then the course, then everything else.
var Scorer = {
  score: ([docname, , , , score, , kind]) => {
    const named = kind === "object" && score >= 11; // the query is in the name itself, not only in that of its module
    if (named && docname === "api/ablation") return score + 60;
    if (named && score >= 16) return score + 40;
    if (docname.startsWith("notebooks/exercises/")) return score + 10;
    return docname.startsWith("notebooks/") ? score + 20 : score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 5, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

"""Small graphs and one question about each: how many edges, parts, triangles, steps; is it connected, has it a cycle?

Why: a model trained on such questions gets better at graphs it has not seen, and the answer is exact (G1,
arXiv 2505.18499). One skill can be trained and another tested.
Formula: a random graph of `nodes` numbered nodes, each pair joined with a probability between 0.15 and 0.5, the pairs
listed in any order; what is asked is one of `asks`. Gold answers are networkx's. The split knows the graph and the
question, not the order. The trace works it out: neighbour lists, then layers from a node, parts, or triples.
Reward hacking: a yes or no, and a number such as the parts, can be guessed; ask for `distance`, `triangles` or `edges`.
Not checked against the paper: its fifty tasks and their sizes; here are eight with one answer each.
Example: `data: {kind: generated, task: {kind: graph_tasks, nodes: 8, asks: [distance]}, size: 2000}`.
"""

import random
from itertools import combinations
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tinyreason.data.tasks._task import Puzzle, Task, between

Ask = Literal["edges", "degree", "distance", "connected", "components", "cycle", "bipartite", "triangles"]
QUESTIONS = {
    "edges": "How many edges does it have?",
    "degree": "How many neighbours does node {0} have?",
    "distance": "How many edges does a shortest path from node {0} to node {1} have? Give -1 where there is no path.",
    "connected": "Is it connected? Give 1 for yes, 0 for no.",
    "components": "How many connected components does it have?",
    "cycle": "Does it have a cycle? Give 1 for yes, 0 for no.",
    "bipartite": "Is it bipartite? Give 1 for yes, 0 for no.",
    "triangles": "How many triangles does it have?",
}
Graph = dict[int, list[int]]
"""Each node's neighbours, in their order."""
Ends = tuple[int, int]
"""The nodes that a question names."""


class GraphTasks(Task):
    """Makes graphs and asks one question about each; the level is the number of nodes."""

    form: ClassVar[str] = "as a number"
    kind: Literal["graph_tasks"] = "graph_tasks"
    nodes: between(3, 20) = (6, 6)
    """How many nodes, 3 to 20, or [least, most]."""
    asks: Annotated[tuple[Ask, ...], Field(min_length=1)] = tuple(QUESTIONS)
    """What is asked, one of these for each problem."""

    def make(self, rng: random.Random) -> Puzzle:
        """Makes a graph and a question."""
        count, density, ask = rng.randint(*self.nodes), rng.uniform(0.15, 0.5), rng.choice(self.asks)
        edges = [pair for pair in combinations(range(count), 2) if rng.random() < density]
        ends = tuple(rng.sample(range(count), 2))
        shown = [f"{one}-{other}" for one, other in (rng.sample(pair, 2) for pair in rng.sample(edges, len(edges)))]
        question = QUESTIONS[ask].format(*ends)
        listed = f"these edges: {', '.join(shown)}" if shown else "no edges"
        text = f"An undirected graph has the nodes 0 to {count - 1} and {listed}. {question}"
        key = f"{count} {edges} {question}"
        return Puzzle(text, str(gold_of(ask, count, edges, ends)), count, key, (ask, count, edges, ends))

    def trace(self, puzzle: Puzzle, rng: random.Random) -> tuple[list[str], str]:
        """Lists the neighbours of every node, then works the question out."""
        ask, count, edges, ends = puzzle.facts
        graph = {one: sorted(sum(pair) - one for pair in edges if one in pair) for one in range(count)}
        listed = [f"{one}: {', '.join(map(str, near)) or 'none'}" for one, near in graph.items()]
        lines, answer = WAYS[ask](graph, ends)
        return [f"Neighbours. {'; '.join(listed)}.", *lines], str(answer)


def gold_of(ask: str, count: int, edges: list[tuple[int, int]], ends: Ends) -> int:
    """Returns networkx's answer; a yes is 1, and a distance is -1 where there is no path."""
    import networkx

    graph = networkx.Graph(edges)
    graph.add_nodes_from(range(count))
    if ask == "distance" and not networkx.has_path(graph, *ends):
        return -1
    answers = {
        "edges": lambda: graph.number_of_edges(),
        "degree": lambda: graph.degree[ends[0]],
        "distance": lambda: networkx.shortest_path_length(graph, *ends),
        "connected": lambda: networkx.is_connected(graph),
        "components": lambda: networkx.number_connected_components(graph),
        "cycle": lambda: not networkx.is_forest(graph),
        "bipartite": lambda: networkx.is_bipartite(graph),
        "triangles": lambda: sum(networkx.triangles(graph).values()) // 3,
    }
    return int(answers[ask]())


def layers_from(graph: Graph, start: int) -> list[list[int]]:
    """Returns the nodes by their distance from one, those that it cannot reach left out."""
    layers, seen = [[start]], {start}
    while layers[-1]:
        layers.append(sorted({near for one in layers[-1] for near in graph[one]} - seen))
        seen.update(layers[-1])
    return layers[:-1]


def parts_of(graph: Graph) -> list[list[list[int]]]:
    """Returns the connected components, each as the layers from its smallest node."""
    parts: list[list[list[int]]] = []
    for one in graph:
        if not any(one in layer for part in parts for layer in part):
            parts.append(layers_from(graph, one))
    return parts


def count_edges(graph: Graph, ends: Ends) -> tuple[list[str], int]:
    """Adds up the degrees."""
    degrees = [len(near) for near in graph.values()]
    total = sum(degrees)
    return [f"Degrees: {' + '.join(map(str, degrees))} = {total}. Half of it is {total // 2}."], total // 2


def count_neighbours(graph: Graph, ends: Ends) -> tuple[list[str], int]:
    """Counts the neighbours of the node."""
    return [f"Node {ends[0]} has {len(graph[ends[0]])}."], len(graph[ends[0]])


def measure_distance(graph: Graph, ends: Ends) -> tuple[list[str], int]:
    """Goes from the first node outwards until the second is there."""
    lines = []
    for distance, layer in enumerate(layers_from(graph, ends[0])):
        lines.append(f"Distance {distance}: {', '.join(map(str, layer))}.")
        if ends[1] in layer:
            return lines, distance
    return [*lines, f"Node {ends[1]} is not reached."], -1


def told_parts(graph: Graph) -> tuple[list[str], int]:
    """Lists the connected components."""
    parts = [sorted(one for layer in part for one in layer) for part in parts_of(graph)]
    lines = [f"Part {number}: {', '.join(map(str, part))}." for number, part in enumerate(parts, 1)]
    return lines, len(parts)


def see_cycle(graph: Graph, ends: Ends) -> tuple[list[str], int]:
    """Compares the number of edges with that of a forest."""
    (edges, many), (parts, count) = count_edges(graph, ends), told_parts(graph)
    most = len(graph) - count
    said = f"Without a cycle it has {len(graph)} - {count} = {most} edges, and it has {many}."
    return [*edges, *parts, said], int(many > most)


def see_sides(graph: Graph, ends: Ends) -> tuple[list[str], int]:
    """Puts every other layer on the other side, and looks for an edge within a side."""
    lines, sides = [], {}
    for part in parts_of(graph):
        sides |= {one: place % 2 for place, layer in enumerate(part) for one in layer}
    for side in (0, 1):
        lines.append(f"Side {side}: {', '.join(str(one) for one in sorted(sides) if sides[one] == side) or 'none'}.")
    inside = [(one, near) for one in graph for near in graph[one] if one < near and sides[one] == sides[near]]
    found = f"Edge {inside[0][0]}-{inside[0][1]} lies within a side." if inside else "No edge lies within a side."
    return [*lines, found], int(not inside)


def count_triangles(graph: Graph, ends: Ends) -> tuple[list[str], int]:
    """Lists the triples of nodes that are all joined."""
    found = [(a, b, c) for a, b, c in combinations(graph, 3) if b in graph[a] and c in graph[a] and c in graph[b]]
    listed = "; ".join(", ".join(map(str, triple)) for triple in found) or "none"
    return [f"Triangles: {listed}."], len(found)


WAYS = {
    "edges": count_edges,
    "degree": count_neighbours,
    "distance": measure_distance,
    "connected": lambda graph, ends: (told_parts(graph)[0], int(told_parts(graph)[1] == 1)),
    "components": lambda graph, ends: told_parts(graph),
    "cycle": see_cycle,
    "bipartite": see_sides,
    "triangles": count_triangles,
}
"""What is asked → how it is worked out: (lines, answer). Not by networkx, so that tests compare the two."""

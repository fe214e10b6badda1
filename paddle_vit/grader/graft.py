"""Put a learner's definitions in the place of the reference's, and nothing else.

The reference module is executed afresh. The learner's definition is compiled into a namespace of its own, a copy of the
reference's names plus the helpers and imports that it reaches, and then set into the reference module. So a helper of
the learner's that happens to be called like a reference function disturbs nobody, and what is not an exercise comes
from the reference.
"""

import ast
import contextlib
import dis
import functools
import importlib.util
import types
from pathlib import Path


class Reference:
    """A module with exercises, as text, syntax tree and code."""

    def __init__(self, module_name):
        self.name = module_name
        package, *rest = module_name.split(".")  # found by path: importing paddle_vit.models would load Paddle
        folder = Path(importlib.util.find_spec(package).submodule_search_locations[0])
        self.text = folder.joinpath(*rest).with_suffix(".py").read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        self.definitions = {}  # "Attention" and "Attention.forward" -> node
        for node in self.tree.body:
            for name, member in members(node):
                self.definitions[name] = member

    @functools.cached_property
    def _code(self):
        return compile(self.tree, f"<reference {self.name}>", "exec")

    def execute(self):
        """A fresh module of the reference's definitions."""
        module = types.ModuleType(self.name)
        exec(self._code, module.__dict__)
        return module

    def source(self, target):
        """The text of one definition, from its first decorator on, indented as it stands in the file."""
        node = self.definitions[target]
        return "".join(self.text.splitlines(keepends=True)[first_line(node) - 1 : node.end_lineno])


@functools.cache
def load_reference(module_name):
    """The Reference of a module, read once."""
    return Reference(module_name)


def first_line(node):
    """The line on which a statement begins, decorators included."""
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])


def members(node):
    """(dotted name, node) of a top-level function or class and of the class's functions."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield node.name, node
    elif isinstance(node, ast.ClassDef):
        yield node.name, node
        for member in node.body:
            if isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{node.name}.{member.name}", member


def graft(reference, definitions, extras=(), constructors=()):
    """The reference module with some definitions replaced.

    Args:
        reference: a Reference.
        definitions: Definitions (see collect.py): target, node, members and unit.
        extras: Statements of the hand-in: imports, helpers and constants, of which those are run that the definitions
            reach.
        constructors: Definitions of the learner's constructors. A method may use an attribute that they create beyond
            the reference's (self.scale, self.act): then it finds it.

    Returns:
        A module. Where the learner's code raises while it is being defined, that exception.
    """
    module = reference.execute()
    own = types.ModuleType(reference.name)
    own.__dict__.update(module.__dict__)
    taken = set(reference.definitions) | {definition.target.split(".")[0] for definition in definitions}
    constructors = {definition.target.rpartition(".")[0]: definition for definition in constructors}
    grafted, nodes = [], []
    for definition in definitions:
        owner = definition.target.rpartition(".")[0]
        helpers = _helpers(reference, owner, definition)
        wanted = _attributes_beyond(reference, owner, definition, helpers, constructors.get(owner))
        grafted.append((definition, owner, helpers, wanted))
        nodes += [definition.node, *helpers, *([constructors[owner].node] if wanted else [])]
    for statement in _reached(nodes, extras, taken):
        _execute([statement.node], own, statement.unit.name)
        own.__dict__.update({name: module.__dict__[name] for name in taken & set(module.__dict__)})  # after import *
    for definition, owner, helpers, wanted in grafted:
        name = definition.target.rpartition(".")[2]
        if not owner:
            _execute([definition.node], own, definition.unit.name)
            setattr(module, name, own.__dict__[name])
            continue
        owner = getattr(module, owner)
        if isinstance(definition.node, ast.Assign):  # Attention.forward = a_function
            value = ast.Assign([ast.Name("~value", ast.Store())], definition.node.value)
            _execute([_located(value, definition.node)], own, definition.unit.name)
            setattr(owner, name, own.__dict__.pop("~value"))
            continue
        for key, value in _compiled(owner, [*helpers, definition.node], definition, own).items():
            setattr(owner, key, value)
        if wanted:
            constructor = constructors[owner.__name__]
            compiled = _compiled(
                owner, [*_helpers(reference, owner.__name__, constructor), constructor.node], constructor, own
            )
            _extend(owner, compiled["__init__"], wanted)
    return module


def joined(modules):
    """Several grafted modules as one: what one imports from another is the other's, not the package's.

    Returns:
        dict of what the reference defines in these modules, as it stands in them now
    """
    own = {
        name: vars(module)[name]
        for module in modules
        for name in load_reference(module.__name__).definitions
        if "." not in name
    }
    for module in modules:
        module.__dict__.update({name: own[name] for name in own.keys() & module.__dict__.keys()})
    return own


def _helpers(reference, owner, definition):
    """What the learner's class holds beside exercises and other definitions of the reference."""
    return [m for m in definition.members if f"{owner}.{getattr(m, 'name', '')}" not in reference.definitions]


def _attributes_beyond(reference, owner, definition, helpers, constructor):
    """Attributes of self that a method reads, the reference's class does not have and the learner's constructor sets."""
    if constructor is None or definition.target.endswith("__init__"):
        return set()
    known = _self_attributes(reference.definitions[owner], ast.Store) | {
        name.rpartition(".")[2] for name in reference.definitions
    }
    read = set().union(*(_self_attributes(node, ast.Load) for node in (definition.node, *helpers)))
    return (read - known) & _self_attributes(constructor.node, ast.Store)


def _self_attributes(node, context):
    return {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and isinstance(part.ctx, context)
    }


def _compiled(owner, nodes, definition, own):
    """Name -> function of the nodes, as members of the class owner."""
    # A class body of its own, so that private names and zero-argument super() mean what they mean in the hand-in.
    # The extra method shares the cell in which Python keeps the class for super(): it is pointed to the real class.
    cell = ast.parse("def __cell(): return __class__").body[0]
    holder = ast.ClassDef(name=owner.__name__, bases=[], keywords=[], body=[cell, *nodes], decorator_list=[])
    holder.type_params = []  # Python 3.12
    before = own.__dict__.get(owner.__name__)
    _execute([_located(holder, definition.node)], own, definition.unit.name)
    built = own.__dict__[owner.__name__]
    own.__dict__[owner.__name__] = before
    attributes = dict(vars(built))
    hidden = next(key for key in attributes if key.endswith("__cell"))
    attributes.pop(hidden).__closure__[0].cell_contents = owner
    for name in ("__module__", "__dict__", "__weakref__", "__doc__", "__qualname__"):
        attributes.pop(name, None)
    return attributes


def _extend(owner, theirs, names):
    """Let the constructor also set these attributes, as the learner's own constructor makes them."""
    ours = owner.__init__

    @functools.wraps(ours)
    def both(self, *args, **kwargs):
        ours(self, *args, **kwargs)
        scratch = owner.__new__(owner)
        with contextlib.suppress(Exception):  # a constructor that fails is another exercise's failure
            theirs(scratch, *args, **kwargs)
        for name in names:
            if hasattr(scratch, name):
                setattr(self, name, getattr(scratch, name))

    owner.__init__ = both


def _located(node, like):
    return ast.fix_missing_locations(ast.copy_location(node, like))


def _execute(body, module, filename):
    future = ast.parse("from __future__ import annotations").body  # bare `Tensor` annotations need not resolve
    tree = ast.Module(body=[*future, *body], type_ignores=[])
    exec(compile(tree, filename, "exec", dont_inherit=True), module.__dict__)


def _reached(nodes, extras, taken):
    """The statements whose names the nodes use, directly or through one another, in their order."""
    wanted, chosen = set(), set()
    new = set().union(*map(names_read, nodes))
    while new:
        wanted |= new
        found = [
            place
            for place, statement in enumerate(extras)
            if place not in chosen and (statement.binds - taken) & (wanted | {"*"})
        ]
        chosen.update(found)
        new = set().union(*(names_read(extras[place].node) for place in found)) - wanted
    return [extras[place] for place in sorted(chosen)]


@functools.lru_cache(maxsize=2000)
def names_read(node):
    """Names that a piece of code looks up in its module: not its parameters and local variables."""
    try:
        pending = [compile(ast.Module([node], []), "", "exec", dont_inherit=True)]
    except (SyntaxError, ValueError):  # `await` at the top level, a `return` outside
        return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    names = set()
    while pending:
        code = pending.pop()
        found = (one for one in dis.get_instructions(code) if one.opname.startswith(("LOAD_NAME", "LOAD_GLOBAL")))
        names.update(one.argval for one in found)
        pending += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return names

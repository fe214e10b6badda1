"""A restricted unpickler: plain containers, and what the caller gives stand-ins for. No code of a file is ever run.

A pickle is a program that may call any function by its name. Here it gets the names that the caller gives it, and the
operations that files of weights need; anything else is refused by name.

What a program does must also end soon and in little memory. So what it may choose is bounded: the number of its steps, the
keys of its dicts, the arguments of its calls.
"""

import pickle
import pickletools
from collections import OrderedDict

# Containers, numbers, strings, and calls of what find_class gives. Not among them: INST, OBJ, NEWOBJ and EXT, which make
# objects of classes in other ways, out-of-band buffers, sets, and what only protocols 0 and 1 need.
_OPERATIONS = (
    "PROTO FRAME STOP MARK POP POP_MARK MEMOIZE BINPUT LONG_BINPUT BINGET LONG_BINGET "
    "NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 LONG4 BINFLOAT "
    "BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 "
    "EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS "
    "GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID"
).split()

_NAMES_OF_OPERATIONS = {ord(operation.code): operation.name for operation in pickletools.opcodes}
_MOST_STEPS = 1 << 20  # a ViT-H with the state of its optimizer takes less than a tenth
_MOST_ARGUMENTS = 8  # torch's _rebuild_tensor_v2 takes 7


class Refused(ValueError):
    """The file wants something that is neither an array nor a plain container; the message names it."""


def shown(value):
    """A value of a file for a message: short, and without what could control a terminal. Containers could be endless."""
    if not isinstance(value, (str, bytes, int, float)):
        return type(value).__name__
    if isinstance(value, int) and abs(value) > 1 << 64:
        return "a huge number"
    text = value[:100] if isinstance(value, str) else repr(value[:100] if isinstance(value, bytes) else value)
    return (text if text.isprintable() else ascii(text))[:100]


class _Steps:
    """Python's functions for the operations that are allowed, looked up by their bytes, and only so many times."""

    def __init__(self, functions):
        self._functions, self._left = functions, _MOST_STEPS

    def __getitem__(self, byte):
        self._left -= 1
        if self._left < 0:
            raise Refused(f"it takes more than {_MOST_STEPS:,} steps, which no file of weights needs")
        if byte not in self._functions:
            if byte not in _NAMES_OF_OPERATIONS:
                raise ValueError(f"no operation has the byte {byte}")
            raise Refused(f"it asks for the operation {_NAMES_OF_OPERATIONS[byte]}, which weights do not need")
        return self._functions[byte]


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler, written in Python: unlike the one in C it lets the operations be chosen, and no number in
    a file makes it reserve gigabytes for a table.
    """

    def __init__(self, file, names, persistent_load=None):
        super().__init__(file)
        functions = {
            getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]] for name in _OPERATIONS
        }
        for name in ("REDUCE", "BUILD", "SETITEM", "SETITEMS"):
            functions[getattr(pickle, name)[0]] = getattr(type(self), f"load_{name.lower()}")
        self.dispatch = _Steps(functions)
        self._names, self._persistent_load = names, persistent_load

    def find_class(self, module, name):
        if (module, name) not in self._names:
            raise Refused(
                f"it asks for {shown(module)}.{shown(name)}, and weights need arrays and plain containers only"
            )
        return self._names[module, name]

    def persistent_load(self, pid):
        if self._persistent_load is None:
            raise Refused("it refers to objects outside of the file")
        return self._persistent_load(pid)

    def load_reduce(self):
        """A call; of a list with a million entries, again and again, it would never end."""
        arguments = self.stack.pop()
        if not isinstance(arguments, tuple) or len(arguments) > _MOST_ARGUMENTS:
            raise Refused("it calls functions with what are no arguments")
        self.stack[-1] = self.stack[-1](*arguments)

    def load_build(self):
        """State for an object. Only the caller's stand-ins take one; attributes that torch hangs on a dict are dropped."""
        state = self.stack.pop()
        if hasattr(self.stack[-1], "set_state"):
            self.stack[-1].set_state(state)
        elif not isinstance(self.stack[-1], OrderedDict):
            raise Refused(f"it sets the state of a {type(self.stack[-1]).__name__}")

    def load_setitem(self):
        self._set_items([self.stack.pop(-2), self.stack.pop()])

    def load_setitems(self):
        self._set_items(self.pop_mark())

    def _set_items(self, items):
        if not isinstance(self.stack[-1], dict):
            raise Refused(f"it sets items of a {type(self.stack[-1]).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # tuples in tuples, or numbers chosen to collide, would keep a dict busy for hours
            if not isinstance(key, str) and not (isinstance(key, int) and abs(key) < 1 << 32):
                raise Refused(f"it has a dict whose keys are {type(key).__name__}, not text")
            self.stack[-1][key] = value


class Bounded:
    """A file whose reads never reserve more than is left in it, whatever length a damaged pickle names; and long ones,
    which are arrays, reserve nothing: they are views of it.
    """

    def __init__(self, view):
        self._view, self.position = view, 0

    def read(self, size):
        if size < 0 or size > len(self._view) - self.position:
            raise ValueError("it ends in the middle")
        self.position += size
        content = self._view[self.position - size : self.position]
        return bytes(content) if size < 4096 else content

    def readline(self):
        """Up to the end of the line; lines of pickles are names."""
        length = bytes(self._view[self.position : self.position + 1000]).find(b"\n") + 1
        if not length:
            raise ValueError("it ends in the middle of a line")
        return self.read(length)


def load(file, names, persistent_load=None):
    """One pickle from a file.

    Args:
        file: Bounded
        names: dict from (module, name) to what the pickle gets for it. Functions among them it may call, with anything.
        persistent_load: function from a reference to what stands outside of the pickle, to what the pickle gets for it.

    Returns:
        dicts, lists, tuples, numbers and strings, and what names gave

    Raises:
        ValueError: it is damaged, or (Refused) it wants what it may not.
    """
    try:
        return _Unpickler(file, names, persistent_load).load()
    except Refused:
        raise
    except Exception as error:  # whatever nonsense makes of a stack machine
        what = shown(str(error))
        if not isinstance(error, ValueError) or isinstance(error, UnicodeError):
            what = f"its pickle makes no sense ({type(error).__name__}: {what})"
        raise ValueError(f"damaged: {what.removeprefix('damaged: ')}") from error

"""A Tensor in gdb, by its shape and its first values:

    (gdb) source core/engine/gdb.py
    (gdb) print x
    $1 = (2, 3) [1, -2.5, 3, 1000, 0.125, nan]

Reads the program's memory alone and calls nothing in it. Needs debug information of code that uses Tensor: -g, and with
clang -fstandalone-debug too.
"""
import gdb
import gdb.printing

MOST_VALUES = 12


def pointee(shared):
    """The object of a std::shared_ptr of libstdc++ or libc++."""
    names = [field.name for field in shared.type.strip_typedefs().fields()]
    return shared["__ptr_" if "__ptr_" in names else "_M_ptr"]


def extents(shape):
    """A Shape's extents; None if the memory is not a valid Shape."""
    rank, dims = int(shape["rank_"]), shape["dims_"]
    elements = dims[dims.type.strip_typedefs().fields()[0]]
    if not 0 <= rank <= 4:
        return None
    found = [int(elements[axis]) for axis in range(rank)]
    return found if all(n >= 0 for n in found) else None


def text(tensor):
    node = pointee(tensor["node_"])
    if int(node) == 0:
        return "undefined tensor"
    if not node.type.target().fields():
        return "tensor, of which there is no debug information; clang: -fstandalone-debug"
    shape = extents(node["shape"])
    storage = pointee(tensor["storage_"])
    size = 1
    for n in shape or []:
        size *= n
    if shape is None or int(storage) == 0 or int(storage["size"]) != size:
        return "no tensor: its memory holds none"
    values = ["%.5g" % float(storage["data"][i]) for i in range(min(size, MOST_VALUES))]
    return "(%s) [%s]" % (", ".join(map(str, shape)), ", ".join(values + ["..."] * (size > MOST_VALUES)))


class TensorPrinter:
    def __init__(self, tensor):
        self.tensor = tensor

    def to_string(self):
        try:
            return text(self.tensor)
        except gdb.error as error:  # of what is not made yet, or no longer there
            return "no tensor: " + str(error).lower()


printers = gdb.printing.RegexpCollectionPrettyPrinter("evenkeel")
printers.add_printer("Tensor", "^evenkeel(_f64)?::(Tensor|Owned)$", TensorPrinter)
gdb.printing.register_pretty_printer(gdb.current_objfile(), printers, replace=True)

# A Conan 2 recipe of the library:
#     conan create apps/packaging/conan --build=missing
# With `-pr:a apps/packaging/conan/system` the libraries under it are those of the system, and nothing is downloaded.
import os
import re

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class Evenkeel(ConanFile):
    name = "evenkeel"
    license = "MIT"
    description = "deep learning with batch normalisation, from scratch"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "blas": [True, False]}
    default_options = {"shared": False, "fPIC": True, "blas": True}
    implements = ["auto_shared_fpic"]
    package_type = "library"

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, "../../../CMakeLists.txt"))
        self.version = re.search(r"project\(evenkeel VERSION ([\d.]+)", text)[1]

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "../../..")
        for part in "CMakeLists.txt", "LICENSE", "core/*", "layers/*", "optim/*", "data/*", "tests/check_*.h":
            copy(self, part, root, self.export_sources_folder)

    def requirements(self):
        self.requires("fmt/[>=9]", transitive_headers=True)
        self.requires("zlib/[>=1.2]")
        self.requires("libpng/[>=1.6]")
        self.requires("libjpeg-turbo/[>=2.1]")
        self.requires("nlohmann_json/[>=3.11]")
        if self.options.blas:
            self.requires("openblas/[>=0.3.20]")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables.update(EVENKEEL_NATIVE=False, EVENKEEL_APPS=False, EVENKEEL_TESTS=False,
                                         EVENKEEL_BLAS=bool(self.options.blas))
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):  # find_package(evenkeel) reads the files that the installation itself has
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = ["lib/cmake/evenkeel"]

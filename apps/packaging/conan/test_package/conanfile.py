# `conan create` builds the project in tests/install with the package, and runs its program.
import os

from conan import ConanFile
from conan.tools.build import can_run
from conan.tools.cmake import CMake, cmake_layout


class Outside(ConanFile):
    settings = "os", "arch", "compiler", "build_type"
    generators = "CMakeDeps", "CMakeToolchain"

    def requirements(self):
        self.requires(self.tested_reference_str)

    def layout(self):  # outside of the sources, which CMake searches for files to compile
        cmake_layout(self, build_folder="../../../../build/conan")

    def build(self):
        cmake = CMake(self)
        cmake.configure(build_script_folder="../../../../tests/install")
        cmake.build()

    def test(self):
        if can_run(self):
            self.run(os.path.join(self.cpp.build.bindir, "outside"), env="conanrun")

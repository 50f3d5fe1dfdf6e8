# Builds from the checkout that this file is in; the version is the one in Cargo.toml.
{
  lib,
  rustPlatform,
  installShellFiles,
}:

let
  root = ../..;
  cargo = (builtins.fromTOML (builtins.readFile (root + "/Cargo.toml"))).package;
in
rustPlatform.buildRustPackage {
  pname = cargo.name;
  inherit (cargo) version;

  src = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions [
      (root + "/Cargo.toml")
      (root + "/Cargo.lock")
      (root + "/README.md")
      (root + "/src")
      (root + "/tests")
      (root + "/completions")
      (root + "/packaging/man")
    ];
  };
  cargoLock.lockFile = root + "/Cargo.lock";

  # The tests open local ports and start processes; `cargo test` runs them outside of the sandbox.
  doCheck = false;

  nativeBuildInputs = [ installShellFiles ];
  postInstall = ''
    installManPage packaging/man/*.1
    installShellCompletion --bash --name mcp-tether completions/mcp-tether.bash
    installShellCompletion --zsh completions/_mcp-tether
    installShellCompletion --fish completions/mcp-tether.fish
  '';

  meta = {
    inherit (cargo) description;
    license = with lib.licenses; [
      mit
      asl20
    ];
    mainProgram = "mcp-tether";
    platforms = lib.platforms.unix;
  };
}

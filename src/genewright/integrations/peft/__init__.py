"""PEFT: mutants by noise of low rank as LoRA adapters. PEFT itself is not needed to write one."""

from __future__ import annotations

from genewright.integrations.peft.adapter import save_adapter as save_adapter

__all__ = ["save_adapter"]

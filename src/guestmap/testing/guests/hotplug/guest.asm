; A guest that takes part in memory hot-plug, and nothing else.
;
; It is an option ROM for a PC (i440FX, PIIX4) with SeaBIOS, and boots as one: after POST, with no
; disk. It takes the ACPI interrupt, asks the memory hot-plug registers what happened, tests new
; memory, answers as an operating system would (_OST), and lets memory go when asked to. It talks on
; COM1 in lines that a program can read, and listens there for commands.
;
; What it says. N is decimal, X is hexadecimal with 0x in front:
;
;   guest: slot N present addr=X size=X node=N      memory that was there from the start
;   guest: slot N insert addr=X size=X node=N       memory that came
;   guest: slot N ok blocks=N                       every 2 MiB block of it keeps what is written
;   guest: slot N bad words=N first=X               it does not; where that shows first
;   guest: slot N remove asked
;   guest: slot N remove refused | ignored          as the policy has it, see below
;   guest: slot N removed reads=X                   it is; what the next instruction read there
;   guest: slot N eject failed                      the guest agreed, the machine did not
;   guest: slot N ost event=X status=X              what it has just answered
;   guest: ready slots=N                            all of the memory at the start is tested
;   guest: read addr=X value=X                      answers to commands
;   guest: write addr=X value=X
;   guest: slot N same blocks=N | changed words=N first=X | empty
;   guest: policy agree | refuse | silent
;   guest: power button | power off | reset | halt  what it does next
;   guest: what?                                    a command that it does not know
;   guest: exception vector=X error=X eip=X cr2=X   it is lost, and halts
;
; What it understands: a letter and hexadecimal numbers, ended by a newline:
;
;   a          from now on, agree to removals; so it does from the start
;   r [X]      refuse them with _OST status X: 80h to 83h; 82h (busy) where none is given
;   s          stay silent about them
;   p X        read the four bytes at physical address X
;   w X Y      write byte Y to address X
;   c X        compare slot X with what the test wrote
;   o, z, h    power off, reset, halt
;
; Routines keep every register that their heading does not name. 64-bit numbers are in EDX:EAX.

%include "layout.inc"

        org     BASE
%include "rom.asm"
%include "main.asm"
%include "interrupts.asm"
%include "acpi.asm"
%include "window.asm"
%include "slots.asm"
%include "memory.asm"
%include "commands.asm"
%include "serial.asm"
image_end:

; A floppy's boot sector: says what the first sector of the second side holds, copies it to the one
; behind it, says "done", halts.
        org 0x7c00
        bits 16

start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        mov ax, 0x0201                  ; read track 0, side 1, sector 1
        mov cx, 0x0001
        call disk
        mov si, 0x8000
        call say
        mov ax, 0x0301                  ; write track 1, side 1, sector 2
        mov cx, 0x0102
        call disk
        mov si, ending
        call say
        jmp stop

disk:   mov bx, 0x8000
        mov dx, 0x0100
        int 0x13
        jmp checked

%include "said.inc"

        times 510-($-$$) db 0
        dw 0xaa55
        times 18*512-($-$$) db 0
        db "hello from the other side", 0
        times 19*512-($-$$) db 0

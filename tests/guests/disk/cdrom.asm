; The no-emulation boot image of a CD-ROM: reads block 20 of the disc, says what it holds, halts.
        org 0x7c00
        bits 16
start:  xor ax, ax
        mov ds, ax
        mov ah, 0x42
        mov si, packet
        int 0x13
        jc stop
        mov si, 0x8000
        mov dx, 0x402
next:   lodsb
        test al, al
        jz stop
        out dx, al
        jmp next
stop:   mov dx, 0x402
        mov al, 10
        out dx, al
        cli
        hlt
        jmp stop
        align 4, db 0
packet: db 16, 0
        dw 1, 0x8000, 0
        dq 20
        times 2048-($-$$) db 0
